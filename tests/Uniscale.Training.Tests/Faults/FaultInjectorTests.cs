using System.Reflection;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Loading;
using Uniscale.Configuration;
using Uniscale.Configuration.Schema;
using Uniscale.Launching.Ranks;
using Uniscale.Training.Faults;
using Uniscale.Training.Runs;
using Uniscale.Training.Runtime;
using Uniscale.Training.Tests.Runs;

namespace Uniscale.Training.Tests.Faults;

/// <summary>Faults that threads survive; those that end processes are cells of the matrix.</summary>
public sealed class FaultInjectorTests : IDisposable
{
    private readonly SmallRuns _runs = new();

    public void Dispose() => _runs.Dispose();

    [Fact]
    public void EveryPointOfASaveCanBeNamed() =>
        Assert.Equal(
            Enum.GetNames<SavePoint>().Select(Names.Kebab),
            typeof(FaultSection)
                .GetProperty(nameof(FaultSection.Point))!
                .GetCustomAttribute<OneOfAttribute>()!
                .Values.Take(Enum.GetNames<SavePoint>().Length)
        );

    [Fact]
    public void ARankThatIsNotThereIsRefused() =>
        Assert.Contains(
            "faults.inject[0].rank is 2, but the run has 2 ranks: give one from -2 to 1",
            Assert.Throws<UserErrorException>(() => Train("run", "{ kind: exception, rank: 2 }")).Message
        );

    [Fact]
    public void WithoutALauncherThereIsNoneToKill() =>
        Assert.Contains(
            "start the run with 'uniscale launch'",
            Assert.Throws<UserErrorException>(() => Train("run", "{ kind: kill-launcher, step: 2 }")).Message
        );

    [Theory]
    [InlineData("{ kind: exception, step: 4 }", "an injected exception at step 4")]
    [InlineData("{ kind: out-of-memory, step: 4 }", "memory")]
    [InlineData("{ kind: exception, step: 4, moment: collective }", "an injected exception at step 4")]
    [InlineData("{ kind: exception, step: 4, moment: forward }", "an injected exception at step 4")]
    [InlineData("{ kind: exception, step: 4, moment: backward }", "an injected exception at step 4")]
    [InlineData("{ kind: out-of-memory, step: 4, moment: forward }", "memory")]
    [InlineData("{ kind: out-of-memory, step: 4, moment: backward }", "memory")]
    [InlineData("{ kind: data-reader-error, step: 4 }", "cannot be read: Input/output error")]
    public void AFaultHappensOnceInTheLifeOfARun(string fault, string sentence)
    {
        var failure = Assert.Throws<RankFailedException>(() => Train("run", fault));
        Assert.Equal(1, failure.Rank);
        Assert.Contains(sentence, failure.Message, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain('\n', failure.Message);
        var fired = Assert.Single(FaultMemory.Read(_runs.In("run")));
        Assert.Equal((0, 1), (fired.Index, fired.Rank));
        Assert.Equal(6, Train("run", fault, resume: true).Position.Step);
    }

    [Fact]
    public void AFaultMayHappenAgain()
    {
        const string fault = "{ kind: exception, step: 4, again: true }";
        Assert.Throws<RankFailedException>(() => Train("run", fault));
        Assert.Throws<RankFailedException>(() => Train("run", fault, resume: true));
    }

    [Fact]
    public void AFullDiskCostsACheckpointAndNotTheRun()
    {
        Train("run", "{ kind: disk-full, step: 2 }");
        Assert.Equal([6, 4], CheckpointCatalog.List(Checkpoints("run")).Select(entry => entry.Step));
    }

    [Theory]
    [InlineData("flipped-checkpoint-byte")]
    [InlineData("truncated-shard")]
    [InlineData("missing-marker")]
    [InlineData("missing-manifest")]
    public void DamageIsFoundAndTheCheckpointBeforeIsTaken(string kind)
    {
        Assert.Throws<RankFailedException>(() => Train("run", $"{{ kind: {kind}, step: 5 }}, {{ kind: exception, step: 5 }}"));
        var newest = CheckpointCatalog.List(Checkpoints("run")).First(entry => entry.Step == 4);
        Assert.True(newest.Problem is not null || CheckpointReader.Open(newest.Folder).Verify().Count > 0);
        Assert.Equal(6, Train("run", "{ kind: exception, step: 1 }", resume: true).Position.Step);
        Train("whole", "{ kind: slow-rank, step: 2, seconds: 0 }");
        Assert.All(CheckpointDiff.Compare(_runs.Newest("whole"), _runs.Newest("run")), tensor => Assert.True(tensor.BitEqual, tensor.Name));
    }

    private string Checkpoints(string name) => _runs.In($"{name}/checkpoints");

    private TrainingResult Train(string name, string faults, bool resume = false)
    {
        var resolved = _runs.Configure(name, "checkpoint.every=2", "checkpoint.keep=0", "faults.enabled=true", $"faults.inject=[{faults}]");
        return SmallRuns.Train(new TrainingJob(resolved, new TrainingOptions { Resume = resume, LocalRanks = 2 }, new StopRequest()), 2);
    }
}
