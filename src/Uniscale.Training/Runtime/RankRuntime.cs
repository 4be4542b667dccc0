using System.Diagnostics;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Format;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Devices;
using Uniscale.Engine.Execution;
using Uniscale.Engine.Mesh;
using Uniscale.Engine.Model;
using Uniscale.Engine.Objectives;
using Uniscale.Engine.Optimizer;
using Uniscale.Kernels;
using Uniscale.Kernels.Optimizer;
using Uniscale.Launching.Ranks;
using Uniscale.Programs;
using Uniscale.Training.Feeding;
using Uniscale.Training.Recovery;
using Uniscale.Training.Runs;

namespace Uniscale.Training.Runtime;

/// <summary>
/// One rank of a run: its data, its part of the model, its programs and its position. Every rank of the world makes one from the same
/// configuration and calls it alike.
/// </summary>
public sealed partial class RankRuntime : IDisposable
{
    private readonly Programs _programs;
    private readonly StepExecutor _executor;
    private readonly IKernels _kernels;
    private readonly WaitClock _waits;
    private readonly HostImage _image;
    private readonly IAnswerLoss? _answerLoss;
    private readonly ReferenceModel? _reference;
    private readonly ReferenceModel? _rewardModel;
    private readonly ReferenceModel? _heldOutModel;
    private readonly IReadOnlyList<StateTensor> _tensors;
    private int? _phase;
    private readonly ISequenceSource _data;
    private readonly ITokenLoss? _tokenLoss;

    private RankRuntime(RuntimeParts parts)
    {
        Configuration = parts.Configuration;
        World = parts.World;
        // What is drawn as the run goes cannot be read ahead.
        _data =
            parts.Data is IRolloutSource
                ? parts.Data
                : new PrefetchingSource(parts.Data, parts.RunTokens, Configuration.Model.DocumentMask);
        RunTokens = parts.RunTokens;
        Model = parts.Model;
        Timeline = parts.Timeline;
        AllParameters =
        [
            .. Transformer
                .Blocks(Configuration.Model, parts.Programs.Base.Model.Vocabulary)
                .SelectMany(block => block.Parameters)
                .DistinctBy(p => p.Name),
        ];
        _tensors = SavedState.Tensors(AllParameters, TensorBuffer.TypeOf(Model.Buckets[0].Type));
        _programs = parts.Programs;
        _kernels = parts.Kernels;
        _waits = parts.Waits;
        _answerLoss = AnswerLosses.Of(Configuration);
        _tokenLoss = TokenLosses.Of(Configuration);
        (_reference, _rewardModel, _heldOutModel) = (parts.Reference, parts.RewardModel, parts.HeldOutModel);
        _image = Model.Link.Image();
        _judge = new StepJudge(Configuration.BadSteps);
        var optimizer = NativeOptimizerKernel.For(parts.Model.Link.Device);
        _executor = new StepExecutor(parts.Model, Timeline?.Recorded(optimizer) ?? optimizer, Timeline);
    }

    /// <summary>The run.</summary>
    public RunConfiguration Configuration { get; }

    /// <summary>All ranks.</summary>
    public IWorld World { get; }

    /// <summary>Training data, of which the next step is read ahead.</summary>
    public ISequenceSource Data => _data;

    /// <summary>Tokens of the whole run.</summary>
    public long RunTokens { get; }

    /// <summary>This rank's part of the model.</summary>
    public RankState Model { get; }

    /// <summary>The layout at the run's first step; batch and context may change with the curriculum.</summary>
    public StepSpecification Specification => _programs.Base;

    /// <summary>Every parameter of the model by global name and shape, those of other ranks too.</summary>
    public IReadOnlyList<ParameterSpec> AllParameters { get; }

    /// <summary>Measured times; null where nothing is recorded.</summary>
    public Timeline? Timeline { get; }

    /// <summary>Steps of the whole run: those done, and those still to come, with the batch that each will have.</summary>
    public long TotalSteps
    {
        get
        {
            if (IsFinished)
                return Position.Step;
            long steps = Position.Step + Data.StepsBetween(Position.ConsumedTokens, RunTokens);
            return Configuration.Train.Steps > 0 ? Math.Min(steps, Configuration.Train.Steps) : steps;
        }
    }

    /// <summary>Tokens consumed when the run ends: all of them, but where <c>train.steps</c> ends it before.</summary>
    public long EndTokens
    {
        get
        {
            long steps = TotalSteps - Position.Step,
                consumed = Position.ConsumedTokens;
            if (Configuration.Train.Steps == 0)
                return RunTokens;
            for (; steps > 0; steps--)
                consumed += Data.StepAt(consumed).Tokens;
            return consumed;
        }
    }

    /// <summary>Where the run is.</summary>
    public TrainingPosition Position { get; private set; } = TrainingPosition.Start;

    /// <summary>Whether all tokens are consumed.</summary>
    public bool IsFinished =>
        Position.ConsumedTokens >= RunTokens || (Configuration.Train.Steps > 0 && Position.Step >= Configuration.Train.Steps);

    /// <summary>See <see cref="StepExecutor.GradientsReady"/>.</summary>
    public Action<StepDecision>? GradientsReady
    {
        get => _executor.GradientsReady;
        set => _executor.GradientsReady = value;
    }

    /// <summary>Time that this rank has waited for others so far.</summary>
    public TimeSpan Waited => _waits.Waited;

    /// <summary>See <see cref="StepExecutor.InstructionRan"/>.</summary>
    public Action<Instruction, long>? InstructionRan
    {
        get => _executor.InstructionRan;
        set => _executor.InstructionRan = value;
    }

    /// <summary>See <see cref="StepExecutor.Faults"/>.</summary>
    public IFaultInjector? Faults
    {
        get => _executor.Faults;
        set => _executor.Faults = value;
    }

    /// <summary>Builds a rank with first weights.</summary>
    /// <param name="configuration">The run; its layout must fit the world.</param>
    /// <param name="world">The job; not owned.</param>
    /// <param name="data">Training data; not owned.</param>
    /// <param name="runTokens">Tokens of the whole run.</param>
    /// <param name="vocabulary">Entries of the tokenizer, used where the configuration gives none.</param>
    /// <param name="recording">What to record in a timeline.</param>
    /// <param name="kernels">The kernels as the model is to see them; null: as they are.</param>
    public static RankRuntime Create(
        RunConfiguration configuration,
        IWorld world,
        ISequenceSource data,
        long runTokens,
        int vocabulary = 0,
        Recording recording = Recording.None,
        Func<IKernels, IKernels>? kernels = null
    ) =>
        WithCritic(
            new(RuntimeParts.Build(configuration, world, data, runTokens, vocabulary, recording, link: null, buckets: null, kernels)),
            vocabulary
        );

    /// <summary>The same with another link than the world's, and blocks cut into several buckets, for tests.</summary>
    internal static RankRuntime Create(
        RunConfiguration configuration,
        IWorld world,
        ISequenceSource data,
        long runTokens,
        int vocabulary,
        Recording recording,
        HostLink? link,
        Func<ProcessGroups, BucketPlan>? buckets = null
    ) => WithCritic(new(RuntimeParts.Build(configuration, world, data, runTokens, vocabulary, recording, link, buckets)), vocabulary);

    /// <summary>Runs the next optimizer step.</summary>
    /// <param name="stopAsked">This rank was asked to stop; the outcome says whether any was.</param>
    /// <param name="saveAsked">This rank was asked to save; the outcome says whether any was.</param>
    /// <exception cref="ReplicaMismatchException">Replicas were compared and differ; the position stays before the step.</exception>
    public StepOutcome Step(bool stopAsked = false, bool saveAsked = false)
    {
        long start = Stopwatch.GetTimestamp();
        using var interval = Timeline?.Step(Position.Step + 1);
        var waited = _waits.Waited;
        var plan = Data.StepAt(Position.ConsumedTokens);
        _phase = plan.Phase;
        PendingValidation = PendingTasks = null;
        if (!_isCritic)
            Rollouts?.Prepare(this, plan);
        bool criticAlone = Critic is not null && Rollouts!.TeachesCriticAlone(plan);
        var critic = Critic?.Step(criticAlone && stopAsked, criticAlone && saveAsked);
        if (critic?.Incident is { Action: BadStepAction.Stop } end)
            throw new TrainingStoppedException($"The critic cannot go on: {end.Sentence}");
        if (criticAlone)
            return ConcludeCriticAlone(plan, critic!) with
            {
                FedShare = critic!.FedShare,
                Elapsed = Stopwatch.GetElapsedTime(start),
                Waited = _waits.Waited - waited,
            };
        var fed = Fed(plan);
        var (specification, program, view) = _programs.For(fed, Position.Step);
        double rate = LearningRate.At(Configuration, plan, RunTokens);
        using var batch = new SequenceBatch(Data, fed, view) { Loss = _answerLoss, TokenLoss = _tokenLoss };
        if (Configuration.ComparesAnswers)
            _reference?.Read(plan, batch);
        var optimizer = Configuration.Optimizer;
        double decay =
            plan.Phase < Configuration.Phases.Count
                ? Configuration.Phases[plan.Phase].WeightDecay ?? optimizer.WeightDecay
                : optimizer.WeightDecay;
        var update = new AdamWStep(
            rate,
            optimizer.Beta1,
            optimizer.Beta2,
            optimizer.Epsilon,
            decay,
            Position.Updates + 1,
            GradientScale: 1
        );
        var judgement = default(StepJudgement);
        var input = new StepInput(batch, update, optimizer.Clip, stopAsked, Position.Step + 1, saveAsked)
        {
            Applies = (loss, norm) => (judgement = _judge.Judge(plan.Phase, loss, norm)).Applies,
        };
        var decision = _executor.Run(specification, program, input, out var difference);
        _kernels.ParametersChanged();
        if (specification.ComparesReplicas)
            Compared(difference, Position.Step + 1);
        if (!_isCritic)
            decision = Rollouts?.Done(this, plan, WithMeasuresOf(decision, critic)) ?? decision;
        return Conclude(plan, decision, judgement) with
        {
            LearningRate = rate,
            FedShare = (double)fed.Sequences / plan.Sequences,
            Elapsed = Stopwatch.GetElapsedTime(start),
            Waited = _waits.Waited - waited,
        };
    }

    /// <summary>The checkpoint that the run began with; null: weights of its own.</summary>
    public StartingPoint? Origin { get; private set; }

    /// <summary>Begins with the weights of another run, and compares with them where the objective does. Collective.</summary>
    /// <param name="store">The run's checkpoints.</param>
    /// <param name="origin">Where the weights are.</param>
    /// <param name="begins">The run begins; otherwise it goes on, and only what it compares with is read.</param>
    /// <exception cref="UserErrorException">The weights are of another model.</exception>
    internal void StartFrom(CheckpointStore store, StartingPoint origin, bool begins)
    {
        Origin = origin;
        if (begins)
        {
            _executor.Settle();
            StartingWeights.Load(Model, store, origin.Folder);
        }
        _reference?.Load(store, origin.Folder);
        _kernels.ParametersChanged();
    }

    /// <summary>
    /// Mean loss of the weights as they are on other data: the forward pass of the same layout, without gradients. Collective.
    /// </summary>
    /// <param name="source">Data; samples past its end have no valid tokens.</param>
    /// <param name="sequences">Samples to read, from the first.</param>
    /// <returns>Null where it was left because of <see cref="IsStopSeen"/>.</returns>
    public StepEvaluation? Evaluate(ISequenceSource source, int sequences)
    {
        // The weights are judged as they were trained last, with the rotary base of that phase; a run that was over before is in its last
        // one.
        var plan = source.StepAt(0) with
        {
            Phase = _phase ?? Math.Max(0, Configuration.Phases.Count - 1),
        };
        int replicas = Specification.Mesh.Data * Specification.MicrobatchSize,
            share = Specification.Microbatches;
        var total = StepEvaluation.Empty;
        for (long first = 0; first < sequences; first += (long)replicas * share)
        {
            if (SeeStop())
                return null;
            var part = plan with { FirstSample = first, Sequences = replicas * share };
            var (specification, program, view) = _programs.ForEvaluation(part);
            using var batch = new SequenceBatch(source, part, view) { Loss = _answerLoss };
            if (Configuration.ComparesAnswers)
                _reference?.Read(part, batch);
            total = total.Plus(_executor.Evaluate(specification, program, batch));
        }
        return total;
    }

    /// <summary>This rank's part of the state to save, in host memory; good until the next step.</summary>
    public IReadOnlyList<StateSlice> StateToSave()
    {
        _executor.Settle();
        IReadOnlyList<StateSlice> slices =
        [
            .. Model.Buckets.SelectMany(bucket => BucketSlices.Shard(bucket, _image, Model.GroupsOf(bucket).ShardReplicas.WorldRanks)),
        ];
        _image.Fetch();
        return Critic is null ? slices : [.. slices, .. Critic.StateToSave().Select(OfCritic)];
    }

    /// <summary>All tensors of the state, those of other ranks too.</summary>
    public IReadOnlyList<StateTensor> TensorsToSave =>
        Critic is null ? _tensors : [.. _tensors, .. Critic._tensors.Select(tensor => tensor with { Name = CriticPrefix + tensor.Name })];

    /// <summary>What a checkpoint keeps besides step, tokens and tensors.</summary>
    public IReadOnlyDictionary<string, string> ExtraToSave() =>
        new Dictionary<string, string>([
            .. Position.ToExtra(),
            .. _judge.ToExtra(),
            .. Record.ToExtra(),
            .. DataChange.ToExtra(Data),
            .. PendingToExtra(),
            .. Origin?.ToExtra() ?? [],
            .. Rollouts?.ToExtra() ?? [],
            .. CriticToExtra(),
        ]);

    /// <summary>Takes weights, optimizer state and position from the newest checkpoint; returns null where there is none.</summary>
    /// <param name="store">The run's checkpoints.</param>
    /// <param name="check">Sees the manifest before anything is loaded, and throws where the run may not continue from it; the same on
    /// every rank.</param>
    public LoadedCheckpoint? Resume(CheckpointStore store, Action<CheckpointManifest>? check = null)
    {
        var loaded = Load(store, fits: null, check);
        if (loaded is null)
            return null;
        SetPosition(loaded.Manifest);
        Record.Restore(loaded.Manifest.Extra);
        _judge.Restore(loaded.Manifest.Extra);
        Origin = StartingPoint.Read(loaded.Manifest.Extra);
        RewardOrigin = StartingPoint.Read(loaded.Manifest.Extra, RewardOriginKey);
        HeldOutOrigin = StartingPoint.Read(loaded.Manifest.Extra, HeldOutOriginKey);
        RestorePending(loaded.Manifest.Extra);
        return loaded;
    }

    /// <summary>Waits for parameters that are still being gathered, so that they can be read.</summary>
    public void Settle() => _executor.Settle();

    /// <inheritdoc/>
    public void Dispose()
    {
        _executor.Abandon();
        _reference?.Abandon();
        _rewardModel?.Abandon();
        _heldOutModel?.Abandon();
        Critic?.Dispose();
        _image.Dispose();
        _reference?.Dispose();
        _rewardModel?.Dispose();
        _heldOutModel?.Dispose();
        Model.Dispose();
        Model.Groups.Dispose();
        (_kernels as IDisposable)?.Dispose();
        (_data as PrefetchingSource)?.Dispose();
    }

    private IReadOnlyList<StateSlice> StateToLoad(HostImage image)
    {
        IReadOnlyList<StateSlice> slices =
        [
            .. Model.Buckets.SelectMany(bucket => BucketSlices.Held(bucket, image)),
            .. Critic?.Model.Buckets.SelectMany(bucket => BucketSlices.Held(bucket, image)).Select(OfCritic) ?? [],
        ];
        // What no slice covers stays as it is.
        image.Fetch();
        return slices;
    }

    private WeightsAlone[] WeightsToLoad() => [.. Model.Buckets.Select(bucket => new WeightsAlone(bucket))];

    private void SetPosition(CheckpointManifest manifest)
    {
        if (!DataChange.IsSame(manifest, Data))
            throw new UserErrorException(DataChange.Sentence(manifest, Data));
        Position = TrainingPosition.FromCheckpoint(manifest.Step, manifest.ConsumedTokens, manifest.Extra);
        Rollouts?.Restore(manifest.Extra);
        RestoreCritic(manifest.Extra);
    }
}
