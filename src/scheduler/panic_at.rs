//! The place of a panic: which queue, which worker.

/// Says where a panic happened that no handle and no caller receives.
///
/// A panic handler that is set with [`PoolBuilder::on_panic`](crate::PoolBuilder::on_panic) gets it beside the
/// payload.
///
/// # Examples
/// ```
/// let (tell, told) = std::sync::mpsc::channel();
/// let pool = filch::Pool::builder()
///     .workers(1)
///     .on_panic(move |_, at| tell.send(format!("on worker {:?} of queue {:?}", at.worker(), at.queue())).unwrap())
///     .build()?;
/// pool.execute(|| panic!("lost"))?;
/// assert_eq!(told.recv()?, "on worker Some(0) of queue None");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PanicAt<'p> {
    queue: Option<&'p str>,
    worker: Option<usize>,
}

impl<'p> PanicAt<'p> {
    pub(crate) fn new(queue: Option<&'p str>, worker: Option<usize>) -> Self {
        PanicAt { queue, worker }
    }

    /// Returns the [name](crate::QueueBuilder::name) of the queue that the panic came from: from its handler, from
    /// the maker of a worker's state, or from the end of a state. Returns `None` if it came from no queue, or the
    /// queue has no name.
    ///
    /// # Examples
    /// ```
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let pool = filch::Pool::builder()
    ///     .workers(1)
    ///     .on_panic(move |_, at| tell.send(at.queue().map(str::to_owned)).unwrap())
    ///     .build()?;
    /// pool.queue().name("mail").build(|_: u8| panic!("lost"))?.submit(1)?;
    /// assert_eq!(told.recv()?.as_deref(), Some("mail"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn queue(&self) -> Option<&str> {
        self.queue
    }

    /// Returns the name of the task. It is always `None`: tasks have no names yet.
    ///
    /// # Examples
    /// ```
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let pool = filch::Pool::builder()
    ///     .workers(1)
    ///     .on_panic(move |_, at| tell.send(at.task().map(str::to_owned)).unwrap())
    ///     .build()?;
    /// pool.execute(|| panic!("lost"))?;
    /// assert_eq!(told.recv()?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        None
    }

    /// Returns the number of the worker on which the panic happened. Returns `None` if it happened on a thread
    /// outside the pool, which dropped what the pool had left at its end.
    ///
    /// # Examples
    /// ```
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let pool = filch::Pool::builder()
    ///     .workers(1)
    ///     .on_panic(move |_, at| tell.send(at.worker()).unwrap())
    ///     .build()?;
    /// pool.execute(|| panic!("lost"))?;
    /// assert_eq!(told.recv()?, Some(0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn worker(&self) -> Option<usize> {
        self.worker
    }
}
