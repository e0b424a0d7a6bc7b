// The seed: a buffered channel of jobs, goroutines that range over it, and a WaitGroup.
//
// Reads "capacity workers producers jobs micros", a round a line: a job takes that many microseconds. Answers each with
// one line: the nanoseconds from before the first send until wg.Wait has returned, the processor time of the process
// meanwhile, and for each worker the sum of its ids and their number.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

type Job struct {
	id uint64
}

// Padded, so that no two workers write to one cache line when they report.
type Account struct {
	sum, jobs uint64
	_         [14]uint64
}

// Keeps the compiler from leaving out the work.
var sink uint64

func burn(rounds uint64) {
	value := uint64(1)
	for i := uint64(0); i < rounds; i++ {
		value = value*6364136223846793005 + 1
	}
	if value == 0 {
		sink = value
	}
}

// How many rounds of the loop take a microsecond.
func pace() float64 {
	const probe = 1_000_000
	best := time.Hour
	for i := 0; i < 20; i++ {
		start := time.Now()
		burn(probe)
		best = min(best, time.Since(start))
	}
	return probe / (float64(best.Nanoseconds()) / 1000)
}

func processor() time.Duration {
	// The system counts the time of a thread that runs only now and then.
	time.Sleep(2 * time.Millisecond)
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func worker(jobs <-chan Job, work uint64, account *Account, wg *sync.WaitGroup) {
	defer wg.Done()
	var sum, count uint64
	for job := range jobs {
		sum += job.id
		count++
		if work > 0 {
			burn(work)
		}
	}
	account.sum, account.jobs = sum, count
}

func round(capacity, workers int, producers, n, work uint64) (time.Duration, time.Duration, []Account) {
	jobs := make(chan Job, capacity)
	accounts := make([]Account, workers)
	var wg sync.WaitGroup
	for i := range accounts {
		wg.Add(1)
		go worker(jobs, work, &accounts[i], &wg)
	}
	// The producers but the first wait for the clock.
	begin := make(chan struct{})
	var producing sync.WaitGroup
	produce := func(producer uint64) {
		for id := producer * n / producers; id < (producer+1)*n/producers; id++ {
			jobs <- Job{id}
		}
	}
	for producer := uint64(1); producer < producers; producer++ {
		producing.Add(1)
		go func() {
			defer producing.Done()
			<-begin
			produce(producer)
		}()
	}
	// The workers wait at the channel before the clock starts, as those of the other contenders do.
	before := processor()
	start := time.Now()
	close(begin)
	produce(0)
	producing.Wait()
	close(jobs)
	wg.Wait()
	elapsed := time.Since(start)
	return elapsed, processor() - before, accounts
}

func main() {
	perMicro := pace()
	input := bufio.NewReader(os.Stdin)
	for {
		var capacity, workers int
		var producers, n, micros uint64
		if _, err := fmt.Fscanln(input, &capacity, &workers, &producers, &n, &micros); err != nil {
			return
		}
		elapsed, processor, accounts := round(capacity, workers, producers, n, uint64(float64(micros)*perMicro))
		fmt.Print(elapsed.Nanoseconds(), " ", processor.Nanoseconds())
		for _, account := range accounts {
			fmt.Print(" ", account.sum, " ", account.jobs)
		}
		fmt.Println()
	}
}
