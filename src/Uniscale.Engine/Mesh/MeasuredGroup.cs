using System.Diagnostics;
using Uniscale.Collectives;

namespace Uniscale.Engine.Mesh;

/// <summary>Time that a rank's compute thread stood waiting for communication.</summary>
public sealed class WaitClock
{
    /// <summary>Waited so far.</summary>
    public TimeSpan Waited { get; private set; }

    /// <summary>Called with the beginning and the end of each wait; null: nobody listens.</summary>
    public Action<long, long>? Listener { get; set; }

    internal void Wait(IWork work)
    {
        if (work.IsCompleted)
        {
            work.Wait();
            return;
        }
        long start = Stopwatch.GetTimestamp();
        work.Wait();
        long end = Stopwatch.GetTimestamp();
        Waited += Stopwatch.GetElapsedTime(start, end);
        Listener?.Invoke(start, end);
    }
}

/// <summary>A group whose waits are measured.</summary>
/// <param name="inner">The group; not owned.</param>
/// <param name="clock">Receives the waits.</param>
public sealed class MeasuredGroup(IProcessGroup inner, WaitClock clock) : IProcessGroup
{
    /// <inheritdoc/>
    public string Name => inner.Name;

    /// <inheritdoc/>
    public int Rank => inner.Rank;

    /// <inheritdoc/>
    public int Size => inner.Size;

    /// <inheritdoc/>
    public IReadOnlyList<int> WorldRanks => inner.WorldRanks;

    /// <inheritdoc/>
    public IWork AllReduce(CommBuffer buffer, ReduceOp op = ReduceOp.Sum) => Measure(inner.AllReduce(buffer, op));

    /// <inheritdoc/>
    public IWork ReduceScatter(CommBuffer input, CommBuffer output, ReduceOp op = ReduceOp.Sum) =>
        Measure(inner.ReduceScatter(input, output, op));

    /// <inheritdoc/>
    public IWork AllGather(CommBuffer input, CommBuffer output) => Measure(inner.AllGather(input, output));

    /// <inheritdoc/>
    public IWork Broadcast(CommBuffer buffer, int root) => Measure(inner.Broadcast(buffer, root));

    /// <inheritdoc/>
    public IWork AllToAll(CommBuffer input, CommBuffer output) => Measure(inner.AllToAll(input, output));

    /// <inheritdoc/>
    public IWork Send(CommBuffer buffer, int peer, int tag = 0) => Measure(inner.Send(buffer, peer, tag));

    /// <inheritdoc/>
    public IWork Receive(CommBuffer buffer, int peer, int tag = 0) => Measure(inner.Receive(buffer, peer, tag));

    /// <inheritdoc/>
    public IWork Barrier() => Measure(inner.Barrier());

    /// <inheritdoc/>
    public SharedMemory? Share(long bytes) => inner.Share(bytes);

    /// <inheritdoc/>
    public void Dispose()
    {
        // The group belongs to its maker.
    }

    private MeasuredWork Measure(IWork work) => new(work, clock);

    private sealed class MeasuredWork(IWork work, WaitClock clock) : IWork
    {
        public bool IsCompleted => work.IsCompleted;

        public void Wait() => clock.Wait(work);

        public void WaitRegardless() => work.WaitRegardless();
    }
}
