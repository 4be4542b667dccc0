namespace Uniscale.Collectives.InProcess;

/// <summary>The thread that moves a rank's data while the rank computes.</summary>
internal sealed class CommunicationThread : IDisposable
{
    private readonly object _gate = new();
    private readonly Queue<InProcessOperation> _queue = new();
    private bool _stopped;

    public CommunicationThread(int rank)
    {
        var thread = new Thread(Loop) { IsBackground = true, Name = $"communication of rank {rank}" };
        thread.Start();
    }

    public void Enqueue(InProcessOperation operation)
    {
        lock (_gate)
        {
            _queue.Enqueue(operation);
            Monitor.Pulse(_gate);
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _stopped = true;
            Monitor.Pulse(_gate);
        }
    }

    private void Loop()
    {
        while (Next() is { } operation) operation.Help();
    }

    private InProcessOperation? Next()
    {
        lock (_gate)
        {
            while (_queue.Count == 0 && !_stopped) Monitor.Wait(_gate);
            return _queue.TryDequeue(out var operation) ? operation : null;
        }
    }
}
