// The seed: a buffered channel of jobs, goroutines that range over it, and a WaitGroup.
//
// Reads "capacity workers jobs", a round a line, and answers each with one line: the nanoseconds from before
// the first send until wg.Wait has returned, and for each worker the sum of its ids and their number.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sync"
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

func worker(jobs <-chan Job, account *Account, wg *sync.WaitGroup) {
	defer wg.Done()
	var sum, count uint64
	for job := range jobs {
		sum += job.id
		count++
	}
	account.sum, account.jobs = sum, count
}

func round(capacity, workers int, n uint64) (time.Duration, []Account) {
	jobs := make(chan Job, capacity)
	accounts := make([]Account, workers)
	var wg sync.WaitGroup
	for i := range accounts {
		wg.Add(1)
		go worker(jobs, &accounts[i], &wg)
	}
	// The workers wait at the channel before the clock starts, as those of the other contenders do.
	time.Sleep(2 * time.Millisecond)
	start := time.Now()
	for id := uint64(0); id < n; id++ {
		jobs <- Job{id}
	}
	close(jobs)
	wg.Wait()
	return time.Since(start), accounts
}

func main() {
	input := bufio.NewReader(os.Stdin)
	for {
		var capacity, workers int
		var n uint64
		if _, err := fmt.Fscanln(input, &capacity, &workers, &n); err != nil {
			return
		}
		elapsed, accounts := round(capacity, workers, n)
		fmt.Print(elapsed.Nanoseconds())
		for _, account := range accounts {
			fmt.Print(" ", account.sum, " ", account.jobs)
		}
		fmt.Println()
	}
}
