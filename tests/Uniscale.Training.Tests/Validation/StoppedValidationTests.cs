using Uniscale.Checkpoints;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Torch;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;
using Uniscale.Training.Validation;
using static TorchSharp.torch;

namespace Uniscale.Training.Tests.Validation;

/// <summary>A stop does not wait for a validation, and loses neither the state nor the validation.</summary>
public sealed class StoppedValidationTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-stopped-").FullName;
    private readonly List<long> _validated = [];

    public StoppedValidationTests()
    {
        using var writer = new ShardWriter(Path.Combine(_folder, "shard"), 128);
        writer.Add([.. Enumerable.Range(0, 1000).Select(token => token % 128)]);
        writer.Complete();
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void AStopDuringAValidationIsSeenInIt(int ranks)
    {
        int[] read = new int[ranks];
        Each(
            ranks,
            (world, runtime) =>
            {
                // The last rank alone is asked, after its second look.
                int looks = 0;
                runtime.StopAsked = () => world.Rank == ranks - 1 && ++looks > 2;
                using var validator = new Validator(Configure(), []);
                Assert.Null(validator.Run(runtime, []));
                Assert.True(runtime.IsStopSeen);
                read[world.Rank] = looks;
            }
        );
        Assert.Equal(3, read[^1]);
    }

    /// <summary>The end of the first phase is validated with a rule that stops the run: it does so when the run goes on.</summary>
    [Theory]
    [InlineData(2, false)]
    [InlineData(4, true)]
    public void WhatWasStillToBeValidatedIsWhenTheRunGoesOn(long stopStep, bool endsPhase)
    {
        var stopped = Train(stopStep);
        Assert.Equal((StopReason.Asked, stopStep), (stopped.Reason, stopped.Position.Step));
        Assert.DoesNotContain(stopStep, _validated);
        var next = Train(long.MaxValue);
        Assert.Contains(stopStep, _validated);
        // At the end of the phase the loss is judged, as if nothing had been in between: the run goes no step further.
        Assert.Equal((StopReason.Judged, 4L), (next.Reason, next.Position.Step));
        Assert.StartsWith("Phase 'one' ended after step 4 with a validation loss of", next.Sentence);
        Assert.Equal(endsPhase ? [4L] : [2L, 4L], _validated.Where(step => step >= stopStep));
        // A person has looked; it goes on.
        Assert.Equal((StopReason.Finished, 6L), (Train(long.MaxValue).Reason, 6L));
        Assert.Equal(_validated.Distinct(), _validated);
    }

    private TrainingResult Train(long stopStep)
    {
        TrainingResult? result = null;
        Each(
            1,
            (world, runtime) =>
            {
                using var store = new CheckpointStore(Path.Combine(_folder, "saves"), world);
                runtime.Resume(store);
                var stop = new StopRequest();
                result = new Trainer(
                    runtime,
                    [
                        new Stopping(stop, stopStep),
                        new ValidationCallback(new Validator(Configure(), []), 2, (position, _) => _validated.Add(position.Step)),
                        new CheckpointCallback(store, 0, true, (Resolved().ToYaml(), "")),
                    ],
                    stop
                ).Run();
            }
        );
        return result!;
    }

    private ResolvedConfiguration Resolved() =>
        ConfigurationLoader.Parse(
            $$"""
            model: { layers: 1, hidden: 16, heads: 2, ffn: 32, context: 8, vocabulary: 128 }
            batch: { global: 2, micro: 1 }
            evaluation: { sequences: 20, every: 2 }
            data:
              sources: [{ name: corpus, shards: ["{{_folder}}/shard"] }]
              validation: [{ name: held-out, shards: ["{{_folder}}/shard"] }]
            phases: [{ name: one, tokens: 64, stop_above: 0.01 }, { name: two, tokens: 32 }]
            """
        );

    private RunConfiguration Configure() => Resolved().Value;

    private void Each(int ranks, Action<IWorld, RankRuntime> body)
    {
        var worlds = InProcessWorld.Create(ranks);
        var failures = new Exception?[ranks];
        var threads = worlds
            .Select(world => new Thread(() =>
            {
                try
                {
                    TorchThreads.Set(1);
                    using var scope = NewDisposeScope();
                    using var data = TrainingData.Open(Configure());
                    using var runtime = RankRuntime.Create(Configure(), world, data.Source, data.Tokens, data.Vocabulary);
                    body(world, runtime);
                }
                catch (Exception failure)
                {
                    failures[world.Rank] = failure;
                    world.Abort(failure.Message);
                }
            }))
            .ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        foreach (var world in worlds)
            world.Dispose();
        if (failures.FirstOrDefault(failure => failure is not null) is { } first)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
    }

    private sealed class Stopping(StopRequest stop, long step) : ITrainingCallback
    {
        public void StepDone(RankRuntime runtime, StepOutcome outcome)
        {
            if (outcome.Position.Step == step)
                stop.Ask();
        }
    }
}
