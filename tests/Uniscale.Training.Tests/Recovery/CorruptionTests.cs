using Uniscale.Checkpoints;
using Uniscale.Configuration;
using Uniscale.Engine.Execution;
using Uniscale.Launching.Ranks;
using Uniscale.Torch;
using Uniscale.Training.Recovery;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Recovery;

/// <summary>Replicas that differ, by injection.</summary>
public sealed class CorruptionTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory();

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("dp2 zero0", 7, 8)]
    [InlineData("dp2 zero1", 8, 8)]
    [InlineData("dp2 tp2 zero0", 6, 6)]
    [InlineData("dp2 pp2 zero0", 13, 14)]
    [InlineData("dp2 zero0", 20, 20)]
    public void ARunThatWentBackEndsBitIdenticalToAnUnbrokenOne(string layout, long at, long found)
    {
        var run = Run(CorruptionAction.Rollback);
        var unbroken = GuardedRun.Of(run, layout, Folder("unbroken"));
        var broken = GuardedRun.Of(run, layout, Folder("broken"), Once(at, rank: 1));
        Assert.All(
            broken.Zip(unbroken),
            pair =>
            {
                var incident = Assert.Single(pair.First.Incidents);
                Assert.Equal((StepVerdict.Corruption, found), (incident.Verdict, incident.Step));
                Assert.True(incident.BackTo < at, $"Went back to {incident.BackTo}, which is damaged already.");
                Assert.Equal(pair.Second.State, pair.First.State);
                Assert.Equal(pair.Second.End.Position, pair.First.End.Position);
            }
        );
    }

    [Theory]
    [InlineData("dp2 zero0")]
    [InlineData("dp4 zero1 group2")]
    public void ADamagedMomentIsFoundBeforeItReachesACheckpoint(string layout)
    {
        var run = Run(CorruptionAction.Rollback);
        var unbroken = GuardedRun.Of(run, layout, Folder("unbroken"));
        bool done = false;
        var broken = GuardedRun.Of(
            run,
            layout,
            Folder("broken"),
            rank =>
                new()
                {
                    Weights = (step, model) =>
                    {
                        if (rank != 1 || step != 10 || done)
                            return;
                        done = true;
                        model.Blocks[2].Bucket.SecondMoment.narrow(0, 3, 1).add_(Scalars.Of(0.5));
                    },
                }
        );
        Assert.Equal((10, 5L), (broken[0].Incidents[0].Step, broken[0].Incidents[0].BackTo));
        Assert.All(broken.Zip(unbroken), pair => Assert.Equal(pair.Second.State, pair.First.State));
    }

    [Fact]
    public void StoppingNamesRankAndStepOnAllRanksAndFinishesOnlyTheSaveUnderWay()
    {
        // The save of step 5 is still being written when step 8 is found damaged.
        static void Slowly(SavePoint point)
        {
            if (point == SavePoint.DataWritten)
                Thread.Sleep(1500);
        }

        var run = Run(CorruptionAction.Stop) with
        {
            Batch = new() { Global = 9, Micro = 1 },
        };
        var error = Assert.Throws<ReplicaMismatchException>(() =>
            GuardedRun.Of(run, "dp3 zero0", Folder("stop"), Once(7, rank: 2), probe: Slowly)
        );
        Assert.Equal(8, error.Step);
        Assert.Contains("after step 8", error.Message);
        Assert.Contains("layers.1", error.Message);
        Assert.Contains("on rank 2 differ", error.Message);
        Assert.Equal(["step-00000005"], Directory.GetDirectories(Folder("stop")).Select(Path.GetFileName));
    }

    [Fact]
    public void AMachineThatDamagesAgainAndAgainStopsTheRun()
    {
        var run = Run(CorruptionAction.Rollback);
        run = run with { BadSteps = run.BadSteps with { MaxConsecutive = 3 } };
        var damage = (int rank) => new Damage { Weights = (step, model) => Spoil(rank == 1 && step == 7, model) };
        var error = Assert.Throws<TrainingStoppedException>(() => GuardedRun.Of(run, "dp2 zero0", Folder("again"), damage));
        Assert.Contains("max_consecutive", error.Message);
    }

    private string Folder(string name) => Path.Combine(_folder.FullName, name);

    private static RunConfiguration Run(CorruptionAction action) =>
        TestRuns.Tiny with
        {
            Checkpoint = new() { Every = 5 },
            Train = TestRuns.Tiny.Train with { ChecksumEvery = 2 },
            BadSteps = new() { Corruption = action },
        };

    private static Func<int, Damage> Once(long at, int rank)
    {
        bool done = false;
        return mine =>
            new()
            {
                Weights = (step, model) =>
                {
                    bool now = mine == rank && step == at && !done;
                    done |= now;
                    Spoil(now, model);
                },
            };
    }

    private static void Spoil(bool now, RankState model)
    {
        // Whichever stage holds it: a block of this rank.
        if (now)
            model.Blocks.GetValueOrDefault(2, model.Blocks.Values.First()).Bucket.WholeFlat.narrow(0, 5, 1).add_(Scalars.Of(1e-3));
    }
}
