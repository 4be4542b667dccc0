namespace Uniscale.Collectives.InProcess;

/// <summary>
/// Operations of one rank that have started and may still have units to claim. Whoever of the rank waits for anything works on them; where
/// the machine has processors that no rank computes on, a thread does so beside the computation.
/// </summary>
internal sealed class StartedOperations : IDisposable
{
    /// <summary>Rounds before a waiting thread sleeps, because processors are shared with computation.</summary>
    private const int SpinCount = 30;

    private readonly object _gate = new();
    private readonly Queue<InProcessOperation> _queue = new();
    private bool _stopped;

    /// <param name="rank">Whose operations.</param>
    /// <param name="hasThread">Makes a thread that works on them while the rank computes.</param>
    public StartedOperations(int rank, bool hasThread)
    {
        if (!hasThread)
            return;
        var thread = new Thread(Loop) { IsBackground = true, Name = $"communication of rank {rank}" };
        thread.Start();
    }

    public void Add(InProcessOperation operation)
    {
        lock (_gate)
        {
            while (_queue.TryPeek(out var oldest) && oldest.IsEnded)
                _queue.Dequeue();
            _queue.Enqueue(operation);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Wakes who waits: an operation has ended.</summary>
    public void Wake()
    {
        lock (_gate)
            Monitor.PulseAll(_gate);
    }

    /// <summary>
    /// Blocks until an operation has ended, and works on all that have started meanwhile: it may have to come after them.
    /// </summary>
    public void WaitFor(InProcessOperation operation)
    {
        var spinner = new SpinWait();
        while (!operation.IsEnded && spinner.Count < SpinCount)
        {
            operation.Help();
            if (!HelpNext())
                spinner.SpinOnce(sleep1Threshold: -1);
        }
        while (Next(until: operation) is { } next)
            next.Help();
    }

    /// <summary>Works on everything that has started.</summary>
    public void Finish()
    {
        while (HelpNext()) { }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _stopped = true;
            Monitor.PulseAll(_gate);
        }
    }

    private void Loop()
    {
        while (Next(until: null) is { } operation)
            operation.Help();
    }

    private bool HelpNext()
    {
        InProcessOperation? next;
        lock (_gate)
            if (!_queue.TryDequeue(out next))
                return false;
        next.Help();
        return true;
    }

    /// <summary>
    /// The next operation to work on, waited for; null once <paramref name="until"/> has ended, or without one when the ranks have left.
    /// </summary>
    private InProcessOperation? Next(InProcessOperation? until)
    {
        lock (_gate)
        {
            while (true)
            {
                if (until is null ? _stopped : until.IsEnded)
                    return null;
                if (_queue.TryDequeue(out var operation))
                    return operation;
                Monitor.Wait(_gate);
            }
        }
    }
}
