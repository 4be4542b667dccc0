using Uniscale.Collectives.Nccl.Ordering;
using Uniscale.Mpi;

namespace Uniscale.Collectives.Nccl;

/// <summary>
/// The one thread of a rank that calls NCCL. It launches what is posted in the order that the ranks agree on, sees when devices are
/// through, asks
/// NCCL for errors, and ends everything here when a rank gives up.
/// </summary>
internal sealed class NcclCommunicationThread
{
    private const int SpinRounds = 50;
    private const int ErrorsEvery = 32;

    private static readonly TimeSpan IdlePause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly object _gate = new();
    private readonly Queue<NcclOperation> _posted = new();
    private readonly Queue<Errand> _errands = new();
    private readonly List<NcclOperation> _launching = [];
    private readonly List<NcclOperation> _running = [];
    private readonly List<NcclCommunicator> _communicators = [];
    private readonly IWorld _control;
    private readonly DeviceQueue _device;
    private readonly ILaunchOrder<NcclOperation> _order;
    private readonly Thread _thread;
    private volatile string? _failure;
    private bool _stopping;

    public NcclCommunicationThread(IWorld control, DeviceQueue device, ILaunchOrder<NcclOperation> order)
    {
        (_control, _device, _order) = (control, device, order);
        _thread = new Thread(Loop) { IsBackground = true, Name = $"communication of rank {control.Rank}" };
        _thread.Start();
    }

    /// <summary>Why nothing works any more, or null.</summary>
    public string? Failure => _failure ?? _control.Failure;

    /// <summary>Hands an operation over; it fails at once when the job has failed.</summary>
    public void Post(NcclOperation operation)
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
        operation.Doom(_failure ?? "the world was disposed");
        operation.Fail();
    }

    /// <summary>
    /// Makes a communicator beside the operations: <paramref name="begin"/> starts it, and it is asked until it is there.
    /// </summary>
    /// <returns>The communicator; null where this rank has no part in it.</returns>
    public NcclCommunicator? Make(Func<Func<(bool IsDone, NcclCommunicator? Made)>> begin)
    {
        var errand = new Errand(begin);
        lock (_gate)
        {
            if (_failure is null && !_stopping)
                _errands.Enqueue(errand);
            else
                errand.Fail(_failure ?? "the world was disposed");
            Monitor.Pulse(_gate);
        }
        return errand.Result();
    }

    /// <summary>
    /// Ends everything here, for the reason that the control world knows. Returns when no device touches memory of this rank.
    /// </summary>
    public void Abort()
    {
        lock (_gate)
            Monitor.Pulse(_gate);
        if (Thread.CurrentThread != _thread)
            _thread.Join();
    }

    /// <summary>Ends the thread once what was posted is done; the communicators are left in order.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.Pulse(_gate);
        }
        _thread.Join();
    }

    private void Loop()
    {
        int idleRounds = 0,
            round = 0;
        try
        {
            _device.Select();
            while (TakePosted())
            {
                bool moved = RunErrands() | _order.Advance() | Launch() | _running.RemoveAll(operation => operation.TryComplete()) > 0;
                if (++round % ErrorsEvery == 0)
                    LookForErrors();
                idleRounds = moved ? 0 : idleRounds + 1;
                if (idleRounds > SpinRounds)
                    MpiPause.Sleep();
                else if (!moved)
                    Thread.Yield();
            }
            if (_control.Failure is { } failure)
                FailAll(failure);
            else
                LeaveAll();
        }
        catch (Exception exception)
        {
            _control.Abort(exception.Message);
            FailAll(_control.Failure ?? exception.Message);
        }
    }

    /// <summary>Takes over what was posted; waits while there is nothing to do. False when the thread is to end.</summary>
    private bool TakePosted()
    {
        lock (_gate)
        {
            if (_control.Failure is not null)
                return false;
            bool isIdle = _errands.Count + _order.Waiting.Count + _launching.Count + _running.Count == 0;
            if (isIdle && _posted.Count == 0)
            {
                if (_stopping)
                    return false;
                Monitor.Wait(_gate, IdlePause);
                if (_control.Failure is not null)
                    return false;
            }
            while (_posted.TryDequeue(out var operation))
                _order.Enter(operation);
            return true;
        }
    }

    private bool RunErrands()
    {
        Errand? errand;
        lock (_gate)
            _errands.TryPeek(out errand);
        if (errand is null || !errand.Advance(out var made))
            return false;
        if (made is not null)
            _communicators.Add(made);
        lock (_gate)
            _errands.Dequeue();
        return true;
    }

    private bool Launch()
    {
        if (_launching.Count == 0)
        {
            if (!_order.TryTake(_launching))
                return false;
            var group = _launching[0].Group;
            foreach (var operation in _launching)
                operation.OrderBehindCompute();
            group.Communicator.Launch(_launching, group.Stream);
        }
        if (!_launching[0].Group.Communicator.IsReady())
            return false;
        foreach (var operation in _launching)
            operation.Launched();
        _running.AddRange(_launching);
        _launching.Clear();
        return true;
    }

    private void LookForErrors()
    {
        foreach (var communicator in _communicators)
            communicator.IsReady();
    }

    private void LeaveAll()
    {
        foreach (var communicator in _communicators)
            communicator.Leave();
        bool left = SpinWait.SpinUntil(() => _communicators.TrueForAll(communicator => communicator.IsReady()), Patience);
        foreach (var communicator in _communicators)
        {
            if (left)
                communicator.Free();
            else
                communicator.Abort();
        }
    }

    private void FailAll(string reason)
    {
        List<NcclOperation> pending;
        lock (_gate)
        {
            _failure = reason;
            pending = [.. _running, .. _launching, .. _order.Waiting, .. _posted];
            _posted.Clear();
            while (_errands.TryDequeue(out var errand))
                errand.Fail(reason);
        }
        foreach (var operation in pending)
            operation.Doom(reason);
        foreach (var communicator in _communicators)
            communicator.Abort();
        foreach (var operation in pending)
            operation.Fail();
    }

    /// <summary>The making of a communicator, asked for by another thread.</summary>
    private sealed class Errand(Func<Func<(bool IsDone, NcclCommunicator? Made)>> begin)
    {
        private readonly EndSignal _end = new();
        private Func<(bool IsDone, NcclCommunicator? Made)>? _progress;
        private NcclCommunicator? _made;
        private string? _failure;

        public bool Advance(out NcclCommunicator? made)
        {
            _progress ??= begin();
            (bool isDone, made) = _progress();
            _made = made;
            if (isDone)
                _end.Set();
            return isDone;
        }

        /// <summary>Ends it without a communicator; called by the communication thread where it has begun.</summary>
        public void Fail(string reason)
        {
            _failure = reason;
            _made?.Abort();
            _end.Set();
        }

        public NcclCommunicator? Result()
        {
            _end.Wait();
            return _failure is null ? _made : throw new NcclException(_failure);
        }
    }
}
