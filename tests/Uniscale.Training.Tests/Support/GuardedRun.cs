using Uniscale.Checkpoints;
using Uniscale.Configuration;
using Uniscale.Engine.Buckets;
using Uniscale.Experiments.Verification;
using Uniscale.Launching.Supervision;
using Uniscale.Telemetry.Accounting;
using Uniscale.Training.Recovery;
using Uniscale.Training.Runs;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Tests.Support;

/// <summary>What a rank saw of a run.</summary>
internal sealed record GuardedResult(
    TrainingResult End,
    IReadOnlyList<StepOutcome> Steps,
    IReadOnlyList<Incident> Incidents,
    StepRecord Record,
    float[] State
);

/// <summary>Trains with checkpoints, recovery and faults, as a job does, and returns what each rank saw.</summary>
internal static class GuardedRun
{
    /// <param name="run">The configuration.</param>
    /// <param name="layout">See <see cref="LayoutSpec"/>.</param>
    /// <param name="folder">Its checkpoints.</param>
    /// <param name="damage">Faults of a rank.</param>
    /// <param name="resume">Continue from the newest checkpoint.</param>
    /// <param name="stopAfter">Ask for a stop once so many steps are done; 0: never.</param>
    /// <param name="probe">Watches its saves.</param>
    public static GuardedResult[] Of(
        RunConfiguration run,
        string layout,
        string folder,
        Func<int, Damage>? damage = null,
        bool resume = false,
        long stopAfter = 0,
        Action<SavePoint>? probe = null
    )
    {
        var spec = LayoutSpec.Parse(layout);
        run = run with { Parallel = spec.Parallel };
        ConfigurationRules.Check(run);
        return TestRuns.OnRanks(
            spec.Ranks,
            world =>
            {
                using var runtime = TestRuns.Runtime(run, world);
                runtime.Faults = damage?.Invoke(world.Rank);
                using var store = new CheckpointStore(
                    folder,
                    world,
                    new CheckpointOptions
                    {
                        Keep = run.Checkpoint.Keep,
                        Reach = run.BadSteps.RollsBack() ? run.BadSteps.RollbackSteps : 0,
                        Probe = probe,
                    }
                );
                if (resume)
                    Assert.NotNull(runtime.Resume(store));
                var stop = new StopRequest();
                var observer = new Observer(stop, stopAfter);
                var saver = new CheckpointCallback(store, run.Checkpoint.Every, behind: true, ("", ""));
                var timed = new TimedCallback(TimeKeeper.Open("", 0, DateTimeOffset.UtcNow), TimeUse.Saving, saver);
                var callbacks = new MonitoredCallbacks(new Unwatched(), [observer, timed]);
                var end = new Trainer(runtime, [callbacks], stop, recovery: new RunRecovery(runtime, store)).Run();
                return new GuardedResult(end, observer.Steps, observer.Incidents, runtime.Record, State(runtime));
            }
        );
    }

    /// <summary>Weights and moments of a rank, to the bit.</summary>
    private static float[] State(RankRuntime runtime)
    {
        runtime.Settle();
        return [.. runtime.Model.Blocks.Values.OrderBy(block => block.Number).SelectMany(block => Buffers(block.Bucket))];

        static IEnumerable<float> Buffers(Bucket bucket) =>
            [
                .. bucket.Master.data<float>().ToArray(),
                .. bucket.FirstMoment.data<float>().ToArray(),
                .. bucket.SecondMoment.data<float>().ToArray(),
            ];
    }

    private sealed class Unwatched : IRunMonitor, IDisposable
    {
        public void Beat(long step) { }

        public IDisposable Busy(string what) => this;

        public void Dispose() { }
    }

    private sealed class Observer(StopRequest stop, long stopAfter) : ITrainingCallback
    {
        public List<StepOutcome> Steps { get; } = [];

        public List<Incident> Incidents { get; } = [];

        public void StepDone(RankRuntime runtime, StepOutcome outcome)
        {
            Steps.Add(outcome);
            if (outcome.Incident is { } incident)
                Incidents.Add(incident);
            if (outcome.Position.Step == stopAfter - 1)
                stop.Ask();
        }

        public void WentBack(RankRuntime runtime, Incident incident) => Incidents.Add(incident);
    }
}
