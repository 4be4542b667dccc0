using Uniscale.Dashboard.Reading;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Tests.Reading;

public sealed class ForkLineageTests : IDisposable
{
    private const int Forks = 40;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private void Run(string name, string? fork, params (int Step, string Attempt)[] saves)
    {
        _folder.Write($"{name}/metrics.jsonl", Sample.Run(1));
        if (fork is not null)
            _folder.Write($"{name}/fork.yaml", fork);
        foreach (var (step, attempt) in saves)
            _folder.Write(
                $"{name}/checkpoints/step-{step:00000000}/COMMITTED",
                $"uniscale-checkpoint 1\nstep {step}\nordinal 1\nkeep 1\nattempt {attempt}\nmanifest 2 abc\ndigest x\n"
            );
    }

    /// <summary>One look costs a shared file system a few files a run, not the number of forks times that of runs.</summary>
    [Fact]
    public void EveryForkFindsItsOriginAndNoMarkerIsReadTwice()
    {
        for (int i = 0; i < Forks; i++)
        {
            Run($"origin-{i:00}", fork: null, (10, $"a{i}"), (20, $"b{i}"), (30, $"c{i}"));
            // Of steps that no fork begins with nothing is read.
            Run($"with-{i:00}", "name: x", (20, $"b{i}"), (40, $"d{i}"));
        }
        var door = new RunsFolder(_folder.FullPath);
        var runs = door.Find();
        long before = door.OpenedCount;
        var lineage = new ForkLineage(door, runs);
        long opened = door.OpenedCount - before;
        for (int i = 0; i < Forks; i++)
        {
            var tree = lineage.TreeOf(runs.Single(run => run.Name == $"with-{i:00}"))!;
            Assert.Equal($"origin-{i:00}", tree.Name);
            Assert.Equal(($"with-{i:00}", 20L), (Assert.Single(tree.Forks).Name, tree.Forks[0].Step));
        }
        // fork.yaml and the first save of each fork, and the marker of step 20 of each origin.
        Assert.Equal(3 * Forks, opened);
    }

    [Fact]
    public void WithoutForksNoMarkerIsRead()
    {
        for (int i = 0; i < Forks; i++)
            Run($"run-{i:00}", fork: null, (10, $"a{i}"));
        var door = new RunsFolder(_folder.FullPath);
        var runs = door.Find();
        long before = door.OpenedCount;
        var lineage = new ForkLineage(door, runs);
        Assert.Equal(before, door.OpenedCount);
        Assert.Null(lineage.TreeOf(runs[0]));
    }

    /// <summary>A save that two forks begin with is neither's.</summary>
    [Fact]
    public void TwoForksOfOneSaveLieBesideEachOther()
    {
        Run("a-fork", "name: x", (20, "b"));
        Run("another", "name: y", (20, "b"), (30, "of its own"));
        Run("third", "name: z", (30, "of its own"));
        Run("z-origin", fork: null, (20, "b"));
        var door = new RunsFolder(_folder.FullPath);
        var runs = door.Find();
        var tree = new ForkLineage(door, runs).TreeOf(runs.Single(run => run.Name == "third"))!;
        Assert.Equal("z-origin", tree.Name);
        Assert.Equal(["a-fork", "another"], tree.Forks.Select(fork => fork.Name));
        Assert.Equal("third", Assert.Single(tree.Forks[1].Forks).Name);
    }
}
