using System.Diagnostics;

namespace Uniscale.Collectives.Messages;

/// <summary>Messages that have come for a rank and wait to be taken.</summary>
internal sealed class Inbox
{
    private readonly object _gate = new();
    private readonly Dictionary<int, Queue<RankMessage>> _bySubject = [];
    private string? _failure;

    /// <summary>Puts a message in.</summary>
    public void Deliver(int subject, RankMessage message)
    {
        lock (_gate)
        {
            QueueOf(subject).Enqueue(message);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Says that no message comes any more.</summary>
    public void Fail(string reason)
    {
        lock (_gate)
        {
            _failure ??= reason;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>As <see cref="IMessages.Receive"/>.</summary>
    public RankMessage? Take(int subject, TimeSpan patience, CancellationToken cancelled)
    {
        using var waking = cancelled.Register(() =>
        {
            lock (_gate)
                Monitor.PulseAll(_gate);
        });
        long start = Stopwatch.GetTimestamp();
        lock (_gate)
        {
            var queue = QueueOf(subject);
            while (queue.Count == 0)
            {
                if (_failure is not null)
                    throw new CollectiveException(_failure);
                var left = patience - Stopwatch.GetElapsedTime(start);
                if (cancelled.IsCancellationRequested || left <= TimeSpan.Zero)
                    return null;
                // A wait has fewer milliseconds than a time span may.
                Monitor.Wait(_gate, (int)Math.Clamp(Math.Ceiling(left.TotalMilliseconds), 1, int.MaxValue));
            }
            return queue.Dequeue();
        }
    }

    private Queue<RankMessage> QueueOf(int subject)
    {
        if (!_bySubject.TryGetValue(subject, out var queue))
            _bySubject[subject] = queue = new();
        return queue;
    }
}
