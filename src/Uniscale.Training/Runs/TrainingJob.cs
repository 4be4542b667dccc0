using System.Diagnostics;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Tiers;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Execution;
using Uniscale.Launching.Ranks;
using Uniscale.Programs;
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
        var begun = DateTimeOffset.UtcNow;
        long start = Stopwatch.GetTimestamp();
        Agree(rank);
        using var taken = Take(world, out var identity);
        RequireReference();
        var faults = FaultInjector.Of(_configuration, world, Folder.FullPath);
        var preflight = LookAtNodes(rank, faults);
        using var data = Data(_configuration);
        using var tasks = RunTasks.Open(_configuration);
        AgreeOnData(rank, data, tasks);
        double dataSeconds = StepMeter.SecondsSince(start);
        using var runtime = CreateRuntime(world, data, faults);
        runtime.Faults = Faults(rank) ?? faults;
        double modelSeconds = StepMeter.SecondsSince(start) - dataSeconds;
        var saves = new SaveListener(Folder, identity);
        using var store = OpenStore(rank, identity, saves, faults);
        faults?.Attach(store);
        var loaded = Restore(runtime, store, data.Source, identity);
        string? obstacle = MakeRoom(runtime, store);
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
        var report = new StartReport(resolved, options, Folder, runtime);
        var reporter = new TelemetryCallback(telemetry, report.Describe(data.Vocabulary, seconds), time, ProcessMemory.StateOf(runtime));
        saves.Target = world.Rank == 0 ? reporter : null;
        if (world.Rank == 0)
            report.Tell(telemetry, preflight, loaded, obstacle);
        else
            report.TellMemory(telemetry);
        Warn(rank, runtime, telemetry);
        var callbacks = Callbacks(rank, runtime, telemetry, time, reporter, Ownership ?? taken, faults, tasks, store);
        time.Add(time.IsFirst ? TimeUse.Starting : TimeUse.Restarting, StepMeter.SecondsSince(start));
        var recovery = new RunRecovery(runtime, store, rank.Monitor.Busy);
        var trainer = new Trainer(runtime, [new MonitoredCallbacks(rank.Monitor, callbacks)], stop, Save, options.StopAfter, recovery);
        return Train(trainer, world, runtime, reporter, start);
    }

    /// <summary>Every rank was started for the same run, on clocks that agree, in a world that the layout fits. Collective.</summary>
    private void Agree(RankContext rank)
    {
        TorchThreads.Set(
            _configuration.Train.Threads > 0 ? _configuration.Train.Threads : Math.Max(1, Environment.ProcessorCount / options.LocalRanks)
        );
        RankAgreement.OnStart(resolved, options).Check(rank.World, rank.Environment.Host);
        if (rank.Environment.LocalSize < rank.World.Size)
            ClockAgreement.Check(rank.World, rank.Environment.Host, TimeProvider.System);
        LayoutGate.CheckWorld(_configuration, rank.World.Size);
    }

    /// <summary>Rank 0 takes the run's directory, unless the process has it already, and finds out who the run is.</summary>
    private RunOwnership? Take(IWorld world, out RunIdentity? identity)
    {
        identity = null;
        if (world.Rank != 0)
            return null;
        Folder.Prepare(options.Resume);
        var taken = Ownership is null ? Folder.Own(Console.Error.WriteLine) : null;
        try
        {
            // It may have been another's until now.
            Folder.Prepare(options.Resume);
            identity = RunIdentity.For(Folder.FullPath, _configuration, options.Resume, Folder.Checkpoints);
            return taken;
        }
        catch
        {
            taken?.Dispose();
            throw;
        }
    }

    private void RequireReference()
    {
        if (_configuration.Objective.ReadsReference() && _configuration.StartFrom is null)
            throw new UserErrorException(
                $"objective is {_configuration.Objective.ToString().ToLowerInvariant()}, which compares with the model that the run starts from: set start_from to a run, a checkpoint or an imported model."
            );
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

    /// <summary>Every rank reads the same data and asks the same tasks. Collective.</summary>
    private void AgreeOnData(RankContext rank, TrainingData data, RunTasks? tasks)
    {
        RankAgreement.OnData(data, _configuration, tasks?.Fingerprint).Check(rank.World, rank.Environment.Host);
        if (rank.World.Rank == 0)
            tasks?.Check(_configuration);
        rank.World.Group.Barrier().Wait();
    }

    private RankRuntime CreateRuntime(IWorld world, TrainingData data, FaultInjector? faults) =>
        RankRuntime.Create(
            _configuration,
            faults?.Around(world) ?? world,
            data.Source is IRolloutSource ? data.Source : faults?.Around(data.Source) ?? data.Source,
            data.Tokens,
            data.Vocabulary,
            options.Recording,
            faults is null ? null : faults.Around
        );

    private CheckpointStore OpenStore(RankContext rank, RunIdentity? identity, SaveListener saves, FaultInjector? faults) =>
        new(
            Folder.Checkpoints,
            rank.World,
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

    /// <summary>Brings the run where it was, or to where it begins. Collective.</summary>
    /// <returns>The checkpoint that it goes on from; null: it begins.</returns>
    private LoadedCheckpoint? Restore(RankRuntime runtime, CheckpointStore store, ISequenceSource data, RunIdentity? identity)
    {
        var loaded = options.Resume ? Resume(runtime, store, data) : null;
        if (loaded is null && identity is { SavedStep: > 0 })
            throw Vanished(identity);
        if (loaded is null && data is Curriculum curriculum)
            curriculum.CheckBeginning(_configuration);
        new StartingModels(_configuration, runtime, store, begins: loaded is null).Load();
        return loaded;
    }

    /// <summary>Prepares the saves of this run.</summary>
    /// <returns>Why none could be made now; null: nothing is in their way.</returns>
    private string? MakeRoom(RankRuntime runtime, CheckpointStore store)
    {
        string? obstacle = store.Prepare(runtime.StateToSave(), _configuration.Checkpoint.Async, runtime.TensorsToSave);
        if (obstacle is not null && !options.Resume)
            throw new UserErrorException(
                $"Not one checkpoint of this run could be saved: {obstacle}, or set checkpoint.directory to a place that has it."
            );
        return obstacle;
    }

    private void Warn(RankContext rank, RankRuntime runtime, RunTelemetry telemetry)
    {
        long step = runtime.Position.Step;
        if (rank.Monitor.Problem is { } unseen)
            telemetry.Note(new Note(step, "rank-not-watched", unseen, NoteLevel.Warning));
        if (rank.World.Rank == 0 && PrecisionAdvice.For(_configuration.Train) is { } advice)
            telemetry.Note(new Note(step, "precision-emulated", advice, NoteLevel.Warning));
        if (rank.World.Rank == 0)
            foreach (string sentence in RepeatedShards.Of(_configuration))
                telemetry.Note(new Note(step, "shard-repeated", sentence, NoteLevel.Warning));
    }

    /// <summary>What happens around the steps of a rank, in this order.</summary>
    private List<ITrainingCallback> Callbacks(
        RankContext rank,
        RankRuntime runtime,
        RunTelemetry telemetry,
        TimeKeeper time,
        TelemetryCallback reporter,
        RunOwnership? owned,
        FaultInjector? faults,
        RunTasks? tasks,
        CheckpointStore store
    )
    {
        bool isFirst = rank.World.Rank == 0;
        var callbacks = new List<ITrainingCallback>();
        if (owned is not null)
            callbacks.Add(new OwnershipCallback(owned));
        if (faults is not null)
            callbacks.Add(faults);
        if (isFirst)
            Timed(TimeUse.Other, reporter);
        if (isFirst && _configuration is { Logging.TensorBoard: true, Data.Tokenizer: { } tokenizer })
            Timed(TimeUse.Other, new FedTextCallback(telemetry, tokenizer));
        if (_configuration.Logging is { TensorBoard: true, Histograms: > 0 and var every })
            Timed(TimeUse.Other, new HistogramCallback(telemetry, every));
        foreach (var callback in MoreCallbacks(runtime, telemetry))
            Timed(TimeUse.Validation, callback);
        if (tasks is not null)
            Timed(
                TimeUse.Validation,
                new TaskCallback(tasks, _configuration.Evaluation.TasksEvery, telemetry, Folder.FullPath, rank.Monitor)
            );
        if (options.Recording != Recording.None)
            Timed(TimeUse.Other, new TraceCallback([options.TracePath, options.ProfilePath], telemetry));
        var section = _configuration.Checkpoint;
        Timed(TimeUse.Saving, new CheckpointCallback(store, section.Every, section.Async, (resolved.ToYaml(), resolved.Hash)));
        return callbacks;

        void Timed(TimeUse use, ITrainingCallback callback) => callbacks.Add(new TimedCallback(time, use, callback));
    }

    private TrainingResult Train(Trainer trainer, IWorld world, RankRuntime runtime, TelemetryCallback reporter, long start)
    {
        try
        {
            var result = trainer.Run();
            End(
                result.Position.Step,
                result.Reason == StopReason.Finished,
                Farewell(result),
                ProcessMemory.Heaviest(world, ExpectedBytes)
            );
            return result.Reason == StopReason.BadStep ? throw new TrainingStoppedException(Farewell(result)) : result;
        }
        catch (ReplicaMismatchException damage)
        {
            string sentence =
                $"{damage.Message} bad_steps.corruption is stop, and nothing of this step is saved: continue with --resume from the checkpoint before it.";
            End(damage.Step, false, sentence);
            throw new TrainingStoppedException(sentence, damage);
        }

        void End(long step, bool finished, string sentence, PeakMemory? memory = null) =>
            reporter.End(runtime.Record, new RunEnd(step, finished, sentence, Stopwatch.GetElapsedTime(start)) { Memory = memory });
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

    private static ResumedPosition PositionOf(CheckpointManifest manifest, ISequenceSource data)
    {
        long consumed = manifest.ConsumedTokens;
        var phases = (data as Curriculum)?.Phases ?? [];
        return new ResumedPosition(consumed, phases.Count(phase => phase.StartTokens < consumed), DataChange.IsSame(manifest, data));
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

    private UserErrorException Vanished(RunIdentity identity) =>
        new(
            $"The run in {Folder.FullPath} has saved step {identity.SavedStep} in {identity.SavedIn}, but there is no checkpoint in {Folder.Checkpoints}"
                + $"{(_configuration.Checkpoint.Tiers.Count > 0 ? $" nor in {string.Join(", ", _configuration.Checkpoint.Tiers)}" : "")}: bring that directory back (is its disk there?), name its new place with --set checkpoint.directory=PLACE, or begin another run with --set name=OTHER."
        );
}
