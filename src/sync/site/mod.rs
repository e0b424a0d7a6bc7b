//! Names the ordering of every atomic access of the core.
//!
//! A *site* is a constant. In a normal build [`Site::get`] folds to the ordering, and the compiler emits the same
//! instruction as for an ordering written in place. In the checked build `FILCH_WEAKEN=SITE=Ordering` (or `=none` for
//! a fence) weakens one site. A run of the models then shows whether any model notices.
//!
//! Each site names its partner: the other side of the happens-before edge that it makes. A Relaxed site says why
//! Relaxed is enough.

pub(crate) use std::sync::atomic::Ordering;

/// One atomic access or fence, or several with the same role.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    #[cfg_attr(not(all(loom, feature = "loom")), expect(dead_code, reason = "only a mutant asks"))]
    name: &'static str,
    order: Ordering,
    /// Whether this run used the site. A site that a model never uses needs no mutant run of that model.
    #[cfg(all(loom, feature = "loom"))]
    touched: &'static std::sync::atomic::AtomicBool,
}

impl Site {
    /// The ordering to use. shuttle knows only SeqCst, and warns about any other ordering.
    #[inline(always)]
    #[cfg(not(all(loom, feature = "loom")))]
    pub(crate) const fn get(self) -> Ordering {
        if super::MODEL { Ordering::SeqCst } else { self.order }
    }

    /// The ordering to use.
    #[cfg(all(loom, feature = "loom"))]
    pub(crate) fn get(self) -> Ordering {
        match self.weakened() {
            Strength::Fence(order) => order,
            Strength::None => Ordering::Relaxed,
        }
    }

    /// The strength that this run asks for: that of the table, unless `FILCH_WEAKEN` names this site.
    #[cfg(all(loom, feature = "loom"))]
    pub(super) fn weakened(self) -> Strength {
        static MUTANT: std::sync::OnceLock<Option<(String, Strength)>> = std::sync::OnceLock::new();
        let mutant = MUTANT.get_or_init(|| {
            let text = std::env::var("FILCH_WEAKEN").ok()?;
            let (name, strength) = text.split_once('=').expect("FILCH_WEAKEN is SITE=Ordering");
            assert!(
                CORE.iter().chain(STANDIN).copied().flatten().any(|site| site.name == name),
                "FILCH_WEAKEN names no site: {name}"
            );
            let strength = match strength {
                "none" => Strength::None,
                "Relaxed" => Strength::Fence(Ordering::Relaxed),
                "Acquire" => Strength::Fence(Ordering::Acquire),
                "Release" => Strength::Fence(Ordering::Release),
                "AcqRel" => Strength::Fence(Ordering::AcqRel),
                other => panic!("FILCH_WEAKEN has no ordering {other}"),
            };
            Some((name.to_owned(), strength))
        });
        self.touched.store(true, Ordering::Relaxed);
        match mutant {
            Some((name, strength)) if name == self.name => *strength,
            _ => Strength::Fence(self.order),
        }
    }
}

/// What the driver of the mutants reads.
#[cfg(all(loom, feature = "loom"))]
#[allow(dead_code, reason = "the driver is in another package, which compiles these sources")]
impl Site {
    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    pub(crate) fn order(self) -> Ordering {
        self.order
    }

    pub(crate) fn is_touched(self) -> bool {
        self.touched.load(Ordering::Relaxed)
    }
}

/// The strength of a site in one run.
#[cfg(all(loom, feature = "loom"))]
#[derive(Clone, Copy, Debug)]
pub(super) enum Strength {
    None,
    Fence(Ordering),
}

macro_rules! sites {
    ($($(#[$meta:meta])* $name:ident = $order:ident;)*) => {
        $($(#[$meta])* pub(crate) const $name: Site = Site {
            name: stringify!($name),
            order: Ordering::$order,
            #[cfg(all(loom, feature = "loom"))]
            touched: {
                static TOUCHED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
                &TOUCHED
            },
        };)*

        /// All sites of this table.
        #[cfg(all(loom, feature = "loom"))]
        pub(super) const ALL: &[Site] = &[$($name),*];
    };
}

#[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(lab, feature = "lab")))]
mod deque;
mod latch;
mod parker;
mod private;
mod queue;
mod ring;
mod scheduler;
mod scope;
mod sleep;

#[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(lab, feature = "lab")))]
pub(crate) use deque::*;
pub(crate) use latch::*;
pub(crate) use parker::*;
pub(crate) use private::*;
pub(crate) use queue::*;
pub(crate) use ring::*;
pub(crate) use scheduler::*;
pub(crate) use scope::*;
pub(crate) use sleep::*;

/// The tables of the code that ships.
#[cfg(all(loom, feature = "loom"))]
pub(crate) const CORE: &[&[Site]] =
    &[parker::ALL, latch::ALL, sleep::ALL, private::ALL, scheduler::ALL, scope::ALL, ring::ALL, queue::ALL];

/// The table of the deque's stand-in.
#[cfg(all(loom, feature = "loom"))]
pub(crate) const STANDIN: &[&[Site]] = &[deque::ALL];
