using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Saving;
using Uniscale.Checkpoints.Tiers;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Execution;
using Uniscale.Launching.Ranks;
using Uniscale.Launching.Supervision;
using Uniscale.Programs;
using Uniscale.Programs.Memory;
using Uniscale.Telemetry;
using Uniscale.Telemetry.Accounting;
using Uniscale.Torch;
using Uniscale.Training.Faults;
using Uniscale.Training.Feeding;
using Uniscale.Training.Ownership;
using Uniscale.Training.Preflight;
using Uniscale.Training.Recovery;
using Uniscale.Training.Runtime;
using Uniscale.Training.Validation;

namespace Uniscale.Training.Runs;

/// <summary>What a start of training is asked for besides the configuration.</summary>
public sealed record TrainingOptions
{
    /// <summary>Continue from the newest good checkpoint.</summary>
    public bool Resume { get; init; }

    /// <summary>Save and end after this step, to be continued.</summary>
    public long StopAfter { get; init; } = long.MaxValue;

    /// <summary>File for the measured timeline of some steps; null: none.</summary>
    public string? TracePath { get; init; }

    /// <summary>File for the same with kernels, whose table is told at the end; null: none.</summary>
    public string? ProfilePath { get; init; }

    /// <summary>What the rank has to record for these.</summary>
    internal Recording Recording =>
        ProfilePath is not null ? Recording.Kernels
        : TracePath is not null ? Recording.Instructions
        : Recording.None;

    /// <summary>Ranks of this machine, which share its processors.</summary>
    public int LocalRanks { get; init; } = 1;
}

/// <summary>A training run as every rank of it goes through it, as a thread or as a process.</summary>
/// <param name="resolved">The configuration.</param>
/// <param name="options">How it was started.</param>
/// <param name="stop">Asks all ranks to save and end.</param>
public sealed class TrainingJob(ResolvedConfiguration resolved, TrainingOptions options, StopRequest stop)
{
    private readonly RunConfiguration _configuration = resolved.Value;
    private volatile bool _hasBegun;

    /// <summary>The run's directory.</summary>
    public RunFolder Folder { get; } = new(resolved.Value);

    /// <summary>Asks all ranks to save and go on.</summary>
    public SaveRequest? Save { get; init; }

    /// <summary>More to do around the steps of a rank, e.g. validation.</summary>
    public Func<RankRuntime, RunTelemetry, IEnumerable<ITrainingCallback>> MoreCallbacks { get; init; } = (_, _) => [];

    /// <summary>Opens the data of a rank; by default the sources that the configuration names.</summary>
    public Func<RunConfiguration, TrainingData> Data { get; init; } = TrainingData.Open;

    /// <summary>What damages numbers of a rank on purpose; none by default.</summary>
    public Func<RankContext, IFaultInjector?> Faults { get; init; } = _ => null;

    /// <summary>Whether the run is stored and comes to its steps: before, a stop has nothing to save.</summary>
    public bool HasBegun => _hasBegun;

    /// <summary>The run, held by the process that made this job; null: rank 0 takes it.</summary>
    public RunOwnership? Ownership { get; init; }

    /// <summary>
    /// Peak memory, in bytes, that the process of a rank is expected to need, for the report at the end; null: nobody says.
    /// </summary>
    public Func<int, double>? ExpectedBytes { get; init; }

    /// <summary>Trains one rank to its end.</summary>
    public TrainingResult Run(RankContext rank)
    {
        var world = rank.World;
        long start = Stopwatch.GetTimestamp();
        var begun = DateTimeOffset.UtcNow;
        TorchThreads.Set(
            _configuration.Train.Threads > 0 ? _configuration.Train.Threads : Math.Max(1, Environment.ProcessorCount / options.LocalRanks)
        );
        RankAgreement.OnStart(resolved, options).Check(world, rank.Environment.Host);
        if (rank.Environment.LocalSize < world.Size)
            ClockAgreement.Check(world, rank.Environment.Host, TimeProvider.System);
        LayoutGate.CheckWorld(_configuration, world.Size);
        if (world.Rank == 0)
            Folder.Prepare(options.Resume);
        using var taken = world.Rank == 0 && Ownership is null ? Folder.Own(Console.Error.WriteLine) : null;
        var owned = Ownership ?? taken;
        // It may have been another's until now.
        if (world.Rank == 0)
            Folder.Prepare(options.Resume);
        var identity = world.Rank == 0 ? RunIdentity.For(Folder.FullPath, _configuration, options.Resume, Folder.Checkpoints) : null;
        if (_configuration.Objective.ReadsReference() && _configuration.StartFrom is null)
            throw new UserErrorException(
                $"objective is {_configuration.Objective.ToString().ToLowerInvariant()}, which compares with the model that the run starts from: set start_from to a run, a checkpoint or an imported model."
            );
        var faults = FaultInjector.Of(_configuration, world, Folder.FullPath);
        var preflight = LookAtNodes(rank, faults);
        using var data = Data(_configuration);
        using var tasks = RunTasks.Open(_configuration);
        RankAgreement.OnData(data, _configuration, tasks?.Fingerprint).Check(world, rank.Environment.Host);
        if (world.Rank == 0)
            tasks?.Check(_configuration);
        world.Group.Barrier().Wait();
        double dataSeconds = StepMeter.SecondsSince(start);
        using var runtime = RankRuntime.Create(
            _configuration,
            faults?.Around(world) ?? world,
            data.Source is IRolloutSource ? data.Source : faults?.Around(data.Source) ?? data.Source,
            data.Tokens,
            data.Vocabulary,
            options.Recording,
            faults is null ? null : faults.Around
        );
        runtime.Faults = Faults(rank) ?? faults;
        double modelSeconds = StepMeter.SecondsSince(start) - dataSeconds;
        var saves = new SaveListener(saved => identity = RememberSave(identity!, saved));
        using var store = new CheckpointStore(
            Folder.Checkpoints,
            world,
            new CheckpointOptions
            {
                Keep = _configuration.Checkpoint.Keep,
                KeepEvery = _configuration.Checkpoint.KeepEvery,
                Reach = _configuration.BadSteps.RollsBack() ? _configuration.BadSteps.RollbackSteps : 0,
                Busy = _configuration.Checkpoint.SkipWhenBusy ? BusyPolicy.Skip : BusyPolicy.Wait,
                Files = _configuration.Checkpoint.Files == CheckpointFiles.Node ? FileGrouping.Node : FileGrouping.Rank,
                Host = rank.Environment.Host,
                Tiers = _configuration.Checkpoint.Tiers,
                Owner = identity is null ? null : new TierOwner(identity.Id, Folder.FullPath),
                Observer = saves,
                Probe = faults is null ? null : faults.AtPoint,
            }
        );
        faults?.Attach(store);
        var loaded = options.Resume ? Resume(runtime, store, data.Source) : null;
        if (loaded is null && identity is { SavedStep: > 0 })
            throw Vanished(identity);
        StartFrom(runtime, store, begins: loaded is null);
        string? obstacle = store.Prepare(runtime.StateToSave(), _configuration.Checkpoint.Async, runtime.TensorsToSave);
        if (obstacle is not null && !options.Resume)
            throw new UserErrorException(
                $"Not one checkpoint of this run could be saved: {obstacle}, or set checkpoint.directory to a place that has it."
            );
        _hasBegun = true;
        // Until its first step is done: how long one takes nobody knows yet.
        _ = rank.Monitor.Busy("in its first step");
        if (world.Rank == 0)
            Folder.Store(resolved, identity!);
        var seconds = new Dictionary<string, double>
        {
            ["data"] = dataSeconds,
            ["model"] = modelSeconds,
            ["checkpoint"] = StepMeter.SecondsSince(start) - dataSeconds - modelSeconds,
        };
        // Before telemetry drops the records of steps that are done again.
        var time = OpenAccount(world.Rank, runtime.Position.Step, begun);
        using var telemetry = TelemetryFactory.Open(
            _configuration.Logging,
            Folder.FullPath,
            world.Rank,
            runtime.Position.Step,
            _configuration.Telemetry
        );
        var reporter = new TelemetryCallback(telemetry, Describe(runtime, data, seconds), time, StateOfProcess(runtime));
        saves.Target = world.Rank == 0 ? reporter : null;
        if (world.Rank == 0 && world.Transport.Length > 0)
            telemetry.Log.Information("Ranks are processes that communicate by {Transport:l}.", world.Transport);
        if (world.Rank == 0 && preflight is not null)
            Tell(telemetry, runtime.Position.Step, preflight);
        TellMemory(telemetry, runtime);
        if (world.Rank == 0)
            TellResumption(telemetry, runtime, loaded, obstacle);
        if (rank.Monitor.Problem is { } unseen)
            telemetry.Note(new Note(runtime.Position.Step, "rank-not-watched", unseen, NoteLevel.Warning));
        if (world.Rank == 0 && PrecisionAdvice.For(_configuration.Train) is { } advice)
            telemetry.Note(new Note(runtime.Position.Step, "precision-emulated", advice, NoteLevel.Warning));
        ITrainingCallback Timed(TimeUse use, ITrainingCallback callback) => new TimedCallback(time, use, callback);
        ITrainingCallback[] callbacks =
        [
            .. owned is null ? (ITrainingCallback[])[] : [new OwnershipCallback(owned)],
            .. faults is null ? (ITrainingCallback[])[] : [faults],
            .. world.Rank == 0 ? (ITrainingCallback[])[Timed(TimeUse.Other, reporter)] : [],
            .. world.Rank == 0 && _configuration is { Logging.TensorBoard: true, Data.Tokenizer: { } tokenizer }
                ? (ITrainingCallback[])[Timed(TimeUse.Other, new FedTextCallback(telemetry, tokenizer))]
                : [],
            .. MoreCallbacks(runtime, telemetry).Select(callback => Timed(TimeUse.Validation, callback)),
            .. tasks is null
                ? (ITrainingCallback[])[]
                :
                [
                    Timed(
                        TimeUse.Validation,
                        new TaskCallback(tasks, _configuration.Evaluation.TasksEvery, telemetry, Folder.FullPath, rank.Monitor)
                    ),
                ],
            .. options.Recording == Recording.None
                ? (ITrainingCallback[])[]
                : [Timed(TimeUse.Other, new TraceCallback([options.TracePath, options.ProfilePath], telemetry))],
            Timed(
                TimeUse.Saving,
                new CheckpointCallback(
                    store,
                    _configuration.Checkpoint.Every,
                    _configuration.Checkpoint.Async,
                    (resolved.ToYaml(), resolved.Hash)
                )
            ),
        ];
        time.Add(time.IsFirst ? TimeUse.Starting : TimeUse.Restarting, StepMeter.SecondsSince(start));
        var trainer = new Trainer(
            runtime,
            [new MonitoredCallbacks(rank.Monitor, callbacks)],
            stop,
            Save,
            options.StopAfter,
            new RunRecovery(runtime, store, rank.Monitor.Busy)
        );
        try
        {
            var result = trainer.Run();
            End(result.Position.Step, result.Reason == StopReason.Finished, Farewell(result), HeaviestProcess(world));
            return result.Reason == StopReason.BadStep ? throw new TrainingStoppedException(Farewell(result)) : result;
        }
        catch (ReplicaMismatchException damage)
        {
            string sentence =
                $"{damage.Message} bad_steps.corruption is stop, and nothing of this step is saved: continue with --resume from the checkpoint before it.";
            End(damage.Step, false, sentence);
            throw new TrainingStoppedException(sentence, damage);
        }

        void End(long step, bool finished, string sentence, PeakMemory? memory = null)
        {
            reporter.End(runtime.Record, new RunEnd(step, finished, sentence, Stopwatch.GetElapsedTime(start)) { Memory = memory });
        }
    }

    /// <summary>The preflight, where this start is to have one. Collective.</summary>
    private PreflightReport? LookAtNodes(RankContext rank, FaultInjector? faults)
    {
        if (!NodePreflight.IsWanted(_configuration, rank.Environment))
            return null;
        var report = NodePreflight.Of(_configuration, rank.World, rank.Environment.Host, faults is null ? null : faults.InPreflight);
        NodePreflight.Refuse(report, rank.World);
        return report;
    }

    private static void Tell(RunTelemetry telemetry, long step, PreflightReport preflight)
    {
        telemetry.Log.Information("{Preflight:l}", preflight.Sentence);
        foreach (var finding in preflight.Findings)
            telemetry.Note(new Note(step, "slow-node", $"The preflight finds a slow node: {finding.Sentence}.", NoteLevel.Warning));
    }

    /// <summary>The process that needed most memory. Collective; ranks that are threads of one process have the same.</summary>
    private PeakMemory HeaviestProcess(IWorld world)
    {
        long[] peaks =
        [
            .. GroupExchange
                .AllGather(world.HostGroup, BitConverter.GetBytes(HostMemory.PeakResidentBytes()))
                .Select(bytes => BitConverter.ToInt64(bytes)),
        ];
        int heaviest = Array.IndexOf(peaks, peaks.Max());
        return new PeakMemory(heaviest, peaks[heaviest], (long?)ExpectedBytes?.Invoke(heaviest));
    }

    /// <summary>
    /// What the ranks of this process hold in host memory between steps. Collective where they are threads of one process.
    /// </summary>
    private static MemoryAccount StateOfProcess(RankRuntime runtime)
    {
        if (runtime.Configuration.Train.Device != "cpu")
            return default;
        var own = runtime.Model.Memory;
        if (runtime.World.Transport.Length > 0)
            return own;
        byte[] bytes = MemoryMarshal.AsBytes<long>([own.ParameterBytes, own.GradientBytes, own.OptimizerBytes]).ToArray();
        return GroupExchange
            .AllGather(runtime.World.HostGroup, bytes)
            .Select(all => MemoryMarshal.Cast<byte, long>(all).ToArray())
            .Aggregate(default(MemoryAccount), (sum, rank) => sum + new MemoryAccount(rank[0], rank[1], rank[2]));
    }

    /// <summary>Rank 0 keeps the account of the whole run, others of this start alone.</summary>
    private TimeKeeper OpenAccount(int rank, long resumedStep, DateTimeOffset begun) =>
        TimeKeeper.Open(rank == 0 ? Path.Combine(Folder.FullPath, TelemetryFactory.MetricsFileName) : "", resumedStep, begun);

    private LoadedCheckpoint? Resume(RankRuntime runtime, CheckpointStore store, ISequenceSource data)
    {
        try
        {
            return runtime.Resume(
                store,
                manifest =>
                {
                    if (manifest.ConfigurationYaml.Length > 0)
                        ResumeRules.Check(manifest.ConfigurationYaml, resolved, PositionOf(manifest, data));
                }
            );
        }
        catch (CheckpointMismatchException mismatch)
        {
            throw new UserErrorException(
                $"The run cannot be continued with this model: {mismatch.Message}. Resume with the model of the run, or begin another run with --set name=OTHER.",
                mismatch
            );
        }
    }

    private void StartFrom(RankRuntime runtime, CheckpointStore store, bool begins)
    {
        if (_configuration.StartFrom is not { } path)
            return;
        var origin = begins ? StartingPoint.Find(path) : runtime.Origin;
        // What a run does not compare with may be gone once it has begun.
        if (origin is null || (!begins && !_configuration.Objective.ReadsReference()))
            return;
        origin.Check();
        runtime.StartFrom(store, origin, begins);
        StartModelsBeside(runtime, store, begins);
    }

    /// <summary>
    /// The critic begins as the reward model or the policy where nothing else is said; the reward model is the same one whenever the run
    /// goes on.
    /// </summary>
    private void StartModelsBeside(RankRuntime runtime, CheckpointStore store, bool begins)
    {
        if (runtime.Critic is not null && begins)
            runtime.StartCritic(
                store,
                StartingPoint.Find(_configuration.Ppo.CriticFrom ?? _configuration.RewardModel.From ?? _configuration.StartFrom!)
            );
        if (!_configuration.ReadsScores)
            return;
        var section = _configuration.RewardModel;
        runtime.StartRewardModel(store, RewardModelOf("reward_model.from", section.From!, begins ? null : runtime.RewardOrigin));
        if (_configuration.ReadsHeldOutScores)
            runtime.StartHeldOutModel(
                store,
                RewardModelOf("reward_model.held_out", section.HeldOut!, begins ? null : runtime.HeldOutOrigin)
            );
    }

    private static StartingPoint RewardModelOf(string key, string path, StartingPoint? before)
    {
        var origin = before ?? StartingPoint.Find(path);
        origin.Check();
        if (CheckpointInput.ConfigurationOf(CheckpointInput.Open(origin.Folder, step: null)).Objective != ObjectiveKind.Reward)
            throw new UserErrorException(
                $"{key} names {origin.Folder}, which gives no scores: set it to a run with objective reward."
            );
        return origin;
    }

    private static ResumedPosition PositionOf(CheckpointManifest manifest, ISequenceSource data)
    {
        long consumed = manifest.ConsumedTokens;
        var phases = (data as Curriculum)?.Phases ?? [];
        return new ResumedPosition(consumed, phases.Count(phase => phase.StartTokens < consumed), DataChange.IsSame(manifest, data));
    }

    private RunStart Describe(RankRuntime runtime, TrainingData data, IReadOnlyDictionary<string, double> seconds)
    {
        int ranks = runtime.World.Size;
        bool measure = _configuration.Logging.PeakFlops <= 0 && _configuration.Train.Device == "cpu";
        double? peak = measure ? PeakMeasurement.Measure(runtime.World.Group, runtime.Model.ActivationType) : null;
        if (_configuration.Logging.PeakFlops > 0)
            peak = _configuration.Logging.PeakFlops * ranks;
        var mesh = runtime.Specification.Mesh;
        return new RunStart
        {
            Name = _configuration.Name,
            RunDirectory = Folder.FullPath,
            ConfigurationHash = resolved.Hash,
            ParameterCount = ParameterCount.OfModel(_configuration.Model, data.Vocabulary),
            Ranks = ranks,
            Transport = runtime.World.Transport,
            Layout = $"tp{mesh.Tensor} pp{mesh.Pipeline} cp{mesh.Context} dp{mesh.Data} zero{runtime.Specification.ZeroStage}",
            TotalSteps = runtime.TotalSteps,
            TotalTokens = runtime.EndTokens,
            ResumedStep = runtime.Position.Step,
            Restarts = EventLog
                .Read(Path.Combine(Folder.FullPath, RankLauncher.FolderName))
                .Count(entry => entry.Kind == JobEventKind.Restarted),
            FlopsPerToken = ModelFlops.PerToken(_configuration.Model, data.Vocabulary),
            FlopsFormula = ModelFlops.Formula,
            PeakFlops = peak,
            PeakSource = measure ? "measured at start" : "logging.peak_flops",
            StartupSeconds = seconds,
        };
    }

    /// <summary>Each rank's log says what it holds.</summary>
    private static void TellMemory(RunTelemetry telemetry, RankRuntime runtime)
    {
        var memory = runtime.Model.Memory;
        telemetry.Log.Information(
            string.Create(
                CultureInfo.InvariantCulture,
                $"Rank {runtime.World.Rank} holds {memory.TotalBytes / 1e6:F1} MB: parameters {memory.ParameterBytes / 1e6:F1}, gradients {memory.GradientBytes / 1e6:F1}, optimizer {memory.OptimizerBytes / 1e6:F1}."
            )
        );
    }

    private void TellResumption(RunTelemetry telemetry, RankRuntime runtime, LoadedCheckpoint? loaded, string? obstacle)
    {
        if (!options.Resume)
            return;
        if (obstacle is not null)
            telemetry.Note(
                new Note(
                    runtime.Position.Step,
                    "checkpoint-no-room",
                    $"A checkpoint could not be saved now: {obstacle}. Training goes on.",
                    NoteLevel.Warning
                )
            );
        if (loaded is null)
        {
            telemetry.Log.Information("There is no checkpoint yet: the run begins at step 0.");
            return;
        }
        foreach (string note in loaded.Notes)
            telemetry.Note(new Note(runtime.Position.Step, "checkpoint-damaged", note, NoteLevel.Warning));
        telemetry.Log.Information("Resumed from {Folder:l}", loaded.Folder);
        foreach (var change in ConfigurationDifference.Of(loaded.Manifest.ConfigurationYaml, resolved))
            telemetry.Log.Information(
                "Changed since the checkpoint: {Line:l}{Follows:l}",
                change.ToString(),
                ResumeRules.FollowsFrom(change) is { } follows ? $"; {follows}" : ""
            );
    }

    private string Farewell(TrainingResult result) =>
        result.Reason switch
        {
            StopReason.Finished => $"Training is done; the run is in {Folder.FullPath}.",
            StopReason.BadStep => result.Last!.Incident!.Sentence,
            StopReason.Judged =>
                $"{result.Sentence} The run is saved: go on with --resume, or do the phase again with `uniscale curriculum fork`.",
            _ => $"Stopped after step {result.Position.Step}, saved; continue with --resume.",
        };

    /// <summary>Writes down that the run has a checkpoint, so that a resumption that finds none knows that something is missing.</summary>
    private RunIdentity RememberSave(RunIdentity identity, SaveResult saved)
    {
        identity = identity with { SavedStep = saved.Step, SavedIn = Folder.Checkpoints };
        try
        {
            identity.Write(Folder.FullPath, Folder.Checkpoints);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A full disk: the checkpoint is there all the same.
        }
        return identity;
    }

    private UserErrorException Vanished(RunIdentity identity) =>
        new(
            $"The run in {Folder.FullPath} has saved step {identity.SavedStep} in {identity.SavedIn}, but there is no checkpoint in {Folder.Checkpoints}"
                + $"{(_configuration.Checkpoint.Tiers.Count > 0 ? $" nor in {string.Join(", ", _configuration.Checkpoint.Tiers)}" : "")}: bring that directory back (is its disk there?), name its new place with --set checkpoint.directory=PLACE, or begin another run with --set name=OTHER."
        );

    /// <summary>Passes on the ends of saves once there is somebody to tell.</summary>
    /// <param name="durable">Takes those that are durable, of rank 0.</param>
    private sealed class SaveListener(Action<SaveResult> durable) : ISaveObserver
    {
        public ISaveObserver? Target { get; set; }

        public void Staged(SaveStaged staged) => Target?.Staged(staged);

        public void Ended(SaveResult result)
        {
            if (Target is not null && result.Status == SaveStatus.Durable)
                durable(result);
            Target?.Ended(result);
        }

        public void Replicated(long step, string tier, string? problem) => Target?.Replicated(step, tier, problem);
    }
}
