using Uniscale.Collectives.Messages;
using Uniscale.Mpi;

namespace Uniscale.Collectives.Mpi;

/// <summary>
/// The one thread of a rank that calls MPI once the world is made. It starts what is posted, moves it on, and listens for a rank that
/// gives up. Processors are shared with computation, so it yields while it waits and sleeps when it waits long.
/// </summary>
internal sealed class MpiCommunicationThread
{
    private const int SpinRounds = 200;
    private const int YieldRounds = 2000;
    private const int NoticeEvery = 64;

    private static readonly TimeSpan IdlePause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan SendingPause = TimeSpan.FromMilliseconds(1);

    private readonly object _gate = new();
    private readonly Queue<MpiOperation> _posted = new();
    private readonly List<MpiOperation> _active = [];
    private readonly AbortNotice _notice;
    private readonly MpiMessages _messages;
    private readonly Thread _thread;
    private volatile string? _failure;
    private string? _ownFailure;
    private bool _stopping;

    public MpiCommunicationThread(MpiCommunicator control)
    {
        _notice = new AbortNotice(control);
        _messages = new MpiMessages(control, Wake);
        _thread = new Thread(Loop) { IsBackground = true, Name = $"communication of rank {control.Rank}" };
        _thread.Start();
    }

    /// <summary>Why nothing works any more, or null.</summary>
    public string? Failure => _failure;

    /// <summary>Messages beside the operations.</summary>
    public IMessages Messages => _messages;

    /// <summary>Hands an operation over; it fails at once when the job has failed.</summary>
    public void Post(MpiOperation operation)
    {
        lock (_gate)
        {
            if (_failure is null && !_stopping)
            {
                _posted.Enqueue(operation);
                Monitor.Pulse(_gate);
                return;
            }
        }
        operation.Fail(_failure ?? "the world was disposed");
    }

    /// <summary>Tells all ranks that this one cannot go on, and fails everything here. Returns when it is done.</summary>
    public void Abort(string reason)
    {
        lock (_gate)
        {
            _ownFailure ??= reason;
            Monitor.Pulse(_gate);
        }
        if (Thread.CurrentThread != _thread)
            _thread.Join();
    }

    /// <summary>Ends the thread once what was posted is done.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.Pulse(_gate);
        }
        _thread.Join();
        if (_failure is not null)
            return;
        _messages.Withdraw();
        _notice.Withdraw();
    }

    private void Wake()
    {
        lock (_gate)
            Monitor.Pulse(_gate);
    }

    private void Loop()
    {
        int idleRounds = 0,
            round = 0;
        try
        {
            while (TakePosted())
            {
                bool moved = AdvanceAll();
                idleRounds = moved ? 0 : idleRounds + 1;
                if (_active.Count == 0 || ++round % NoticeEvery == 0)
                {
                    if (_notice.Received() is { } notice)
                    {
                        FailAll(notice);
                        return;
                    }
                    _messages.Advance();
                }
                if (!moved && _active.Count > 0)
                    Pause(idleRounds);
            }
            if (_ownFailure is { } reason)
            {
                FailAll(reason);
                _notice.Send(reason);
            }
        }
        catch (Exception exception)
        {
            FailAll(exception.Message);
            _notice.Send(exception.Message);
        }
    }

    /// <summary>Makes posted operations active; waits while there is nothing to do. False when the thread is to end.</summary>
    private bool TakePosted()
    {
        lock (_gate)
        {
            if (_ownFailure is not null)
                return false;
            if (_active.Count == 0 && _posted.Count == 0)
            {
                if (_stopping)
                    return false;
                Monitor.Wait(_gate, _messages.IsSending ? SendingPause : IdlePause);
                if (_ownFailure is not null)
                    return false;
            }
            while (_posted.TryDequeue(out var operation))
                Activate(operation);
            return true;
        }
    }

    private void Activate(MpiOperation operation)
    {
        if (!operation.IsMessage && operation.Group.Current is not null)
        {
            operation.Group.Waiting.Enqueue(operation);
            return;
        }
        if (!operation.IsMessage)
            operation.Group.Current = operation;
        _active.Add(operation);
    }

    private bool AdvanceAll()
    {
        bool moved = false;
        for (int i = 0; i < _active.Count; i++)
        {
            var operation = _active[i];
            if (!operation.Advance())
                continue;
            moved = true;
            _active.RemoveAt(i--);
            if (operation.IsMessage)
                continue;
            operation.Group.Current = null;
            if (operation.Group.Waiting.TryDequeue(out var next))
                Activate(next);
        }
        return moved;
    }

    private void FailAll(string reason)
    {
        List<MpiOperation> pending;
        lock (_gate)
        {
            _failure = reason;
            pending =
            [
                .. _active,
                .. _active.Where(operation => !operation.IsMessage).SelectMany(operation => operation.Group.Waiting),
                .. _posted,
            ];
            _active.Clear();
            _posted.Clear();
        }
        foreach (var operation in pending)
            operation.Fail(reason);
        _messages.Fail(reason);
    }

    private static void Pause(int idleRounds)
    {
        if (idleRounds < SpinRounds)
            return;
        if (idleRounds < YieldRounds)
            Thread.Yield();
        else
            MpiPause.Sleep();
    }
}
