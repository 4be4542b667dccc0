using TorchSharp;
using Uniscale.Checkpoints;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Configuration.Schema;
using Uniscale.Data;
using Uniscale.Engine.Execution;
using Uniscale.Kernels;
using Uniscale.Launching.Processes;
using Uniscale.Torch;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Faults;

/// <summary>
/// Makes the faults of the configuration's <c>faults</c> section happen to one rank. It decorates the run, which has no code for it:
/// between the trainer and
/// data, kernels, world and checkpoints, each of which has its own place for it.
/// </summary>
public sealed class FaultInjector : IFaultInjector, ITrainingCallback
{
    private readonly FaultPlan _plan;
    private readonly RunConfiguration _configuration;
    private readonly int _rank;
    private CheckpointStore? _store;
    private long _step;
    private volatile bool _isInStep;
    private long _savingStep;
    private long _slowUntil;
    private double _slowSeconds;
    private long _unreadableTokens = -1;

    private FaultInjector(FaultPlan plan, RunConfiguration configuration, int rank) =>
        (_plan, _configuration, _rank) = (plan, configuration, rank);

    /// <summary>
    /// The faults of this rank, or null where the configuration names none. Call it on every rank before any rank trains.
    /// </summary>
    /// <param name="configuration">The run.</param>
    /// <param name="world">This rank.</param>
    /// <param name="runDirectory">Remembers what has happened.</param>
    /// <exception cref="UserErrorException">A fault names a rank that is not there, or a launcher where there is none.</exception>
    public static FaultInjector? Of(RunConfiguration configuration, IWorld world, string runDirectory)
    {
        if (configuration.Faults.Inject.Count == 0)
            return null;
        if (configuration.Faults.Inject.Any(fault => fault.Kind == FaultKind.KillLauncher) && LaunchFolder.OfThisJob() is null)
            throw new UserErrorException("A fault of kind kill-launcher needs mpirun to be there: start the run with 'uniscale launch'.");
        return new FaultInjector(FaultPlan.Of(configuration.Faults, world, new FaultMemory(runDirectory)), configuration, world.Rank);
    }

    /// <summary>The world as the trainer is to see it.</summary>
    public IWorld Around(IWorld world) => new FaultyWorld(world, this);

    /// <summary>The data as the trainer is to see it.</summary>
    public ISequenceSource Around(ISequenceSource data) => new FaultySource(data, this);

    /// <summary>The kernels as the model is to see them: themselves, unless a fault happens in one.</summary>
    public IKernels Around(IKernels kernels) =>
        _configuration.Faults.Inject.Any(fault => fault.Moment is FaultMoment.Forward or FaultMoment.Backward)
            ? FaultyKernels.Of(kernels, this)
            : kernels;

    /// <summary>The kernels as the preflight is to see them: themselves, unless the rank's node is to be slow or wrong.</summary>
    public IKernels InPreflight(IKernels kernels)
    {
        FaultSection[] due = [.. _plan.DueFrom(long.MaxValue, fault => fault.Kind.IsOfPreflight())];
        var delay = TimeSpan.FromSeconds(due.Where(fault => fault.Kind == FaultKind.SlowGemm).Sum(fault => fault.Seconds));
        return due.Length == 0
            ? kernels
            : PreflightKernels.Of(kernels, delay, isWrong: due.Any(fault => fault.Kind == FaultKind.WrongGemm));
    }

    /// <summary>Tells which checkpoints to damage.</summary>
    public void Attach(CheckpointStore store) => _store = store;

    /// <inheritdoc/>
    public void Started(RankRuntime runtime) => _step = runtime.Position.Step;

    /// <inheritdoc/>
    public void StepStarting(RankRuntime runtime)
    {
        _step = runtime.Position.Step + 1;
        FindUnreadableStep(runtime);
        foreach (var fault in _plan.Due(_step, fault => fault.Moment == FaultMoment.Step && HappensAtStart(fault.Kind)))
            Happen(fault);
        _isInStep = true;
    }

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome) => _isInStep = false;

    /// <inheritdoc/>
    public void OnGradient(long step, RankState model)
    {
        if (_plan.Due(step, fault => fault.Kind == FaultKind.NanGradient).Any())
            model.Blocks.Values.First().Bucket.GradientShard.fill_(Scalars.Of(float.NaN));
    }

    /// <inheritdoc/>
    public double OnLoss(long step, double loss)
    {
        const double far = 100;
        return _plan.Due(step, fault => fault.Kind == FaultKind.LossSpike).Any() ? loss + far : loss;
    }

    /// <inheritdoc/>
    public void OnWeights(long step, RankState model)
    {
        if (!_plan.Due(step, fault => fault.Kind == FaultKind.FlippedWeight).Any())
            return;
        var bucket = model.Blocks.Values.First().Bucket;
        Damage.FlipBit(bucket.ParametersAreSharded ? bucket.ParameterShard : bucket.WholeFlat);
    }

    /// <summary>Called at each point of a save, on whatever thread it is.</summary>
    public void AtPoint(SavePoint point)
    {
        // Between these two and the next the trainer waits, so its step is the checkpoint's.
        if (point is SavePoint.FolderCreated or SavePoint.Staged)
            _savingStep = _step;
        string name = Names.Kebab(point.ToString());
        foreach (var fault in _plan.DueFrom(_savingStep, fault => FaultPlan.IsInSave(fault) && fault.Point == name))
        {
            if (fault.Kind == FaultKind.DiskFull)
                throw new IOException("No space left on device (injected)");
            if (fault.Kind == FaultKind.SlowStorage)
                Thread.Sleep(TimeSpan.FromSeconds(fault.Seconds));
            else
                Happen(fault);
        }
    }

    /// <summary>Called before a kernel runs.</summary>
    internal void InKernel(FaultMoment pass)
    {
        if (!_isInStep)
            return;
        foreach (var fault in _plan.Due(_step, fault => fault.Moment == pass))
            Happen(fault);
    }

    /// <summary>Called before the answers that ranks have drawn are exchanged.</summary>
    internal void BeforeExchange()
    {
        if (!_isInStep)
            return;
        foreach (var fault in _plan.Due(_step, fault => fault.Moment == FaultMoment.Draw))
            Happen(fault);
    }

    /// <summary>Called before a reduction over all ranks is posted.</summary>
    /// <returns>True where another collective is to be posted.</returns>
    internal bool BeforeCollective()
    {
        if (!_isInStep)
            return false;
        foreach (var slow in _plan.Due(_step, fault => fault.Kind == FaultKind.SlowRank))
            (_slowUntil, _slowSeconds) = (_step + slow.Steps, slow.Seconds);
        if (_step < _slowUntil)
            Thread.Sleep(TimeSpan.FromSeconds(_slowSeconds));
        return _plan.Due(_step, fault => fault.Kind == FaultKind.MismatchedCollective).Any();
    }

    /// <summary>Called between posting a reduction over all ranks and waiting for it.</summary>
    internal void InCollective()
    {
        if (!_isInStep)
            return;
        foreach (var fault in _plan.Due(_step, fault => fault.Moment == FaultMoment.Collective))
            Happen(fault);
    }

    /// <summary>Called before a sample is read, on whatever thread it is.</summary>
    internal void BeforeSample(long consumedTokens, long index)
    {
        if (consumedTokens != Interlocked.Read(ref _unreadableTokens))
            return;
        if (_plan.DueFrom(_step, fault => fault.Kind == FaultKind.DataReaderError, ahead: 1).Any())
            throw new IOException($"sample {index} cannot be read: Input/output error (injected)");
    }

    private static bool HappensAtStart(FaultKind kind) =>
        kind
            is FaultKind.Kill
                or FaultKind.Terminate
                or FaultKind.Hang
                or FaultKind.SegmentationFault
                or FaultKind.KillLauncher
                or FaultKind.Exception
                or FaultKind.OutOfMemory
                or FaultKind.FlippedCheckpointByte
                or FaultKind.TruncatedShard
                or FaultKind.MissingMarker
                or FaultKind.MissingManifest
                or FaultKind.DataChanged;

    private void Happen(FaultSection fault)
    {
        switch (fault.Kind)
        {
            case FaultKind.Kill:
                ProcessSignal.ToSelf(ProcessSignal.Kill);
                break;
            case FaultKind.Terminate:
                ProcessSignal.ToSelf(ProcessSignal.Terminate);
                break;
            case FaultKind.Hang:
                ProcessSignal.ToSelf(ProcessSignal.Stop);
                break;
            case FaultKind.SegmentationFault:
                ProcessSignal.Crash();
                break;
            case FaultKind.KillLauncher:
                ProcessSignal.ToProcess(Launcher(), ProcessSignal.Kill);
                break;
            case FaultKind.OutOfMemory:
                torch.empty([1L << 50], torch.ScalarType.Float32).Dispose();
                break;
            case FaultKind.DataChanged:
                Damage.Data(_configuration.Data.Sources[0].Shards[0]);
                break;
            case FaultKind.Exception:
                throw new InjectedFaultException($"an injected exception at step {_step}");
            default:
                Damage.Checkpoint(fault.Kind, _store!, _rank);
                break;
        }
    }

    private int Launcher() =>
        LaunchFolder.OfThisJob()!.Mpirun
        ?? throw new UserErrorException(
            $"faults.inject: kill-launcher cannot happen on rank {_rank}, for mpirun runs on another host: name a rank of that host."
        );

    /// <summary>
    /// Samples are read a step ahead, so a fault of step N is prepared when step N - 1 begins, or N where the run starts with it.
    /// </summary>
    private void FindUnreadableStep(RankRuntime runtime)
    {
        long consumed = runtime.Position.ConsumedTokens;
        long next = consumed + runtime.Data.StepAt(consumed).Tokens;
        foreach (var fault in _configuration.Faults.Inject.Where(fault => fault.Kind == FaultKind.DataReaderError))
            if (fault.Step - _step is 0 or 1)
                Interlocked.Exchange(ref _unreadableTokens, fault.Step == _step ? consumed : next);
    }
}
