using System.Globalization;
using Uniscale.Checkpoints.Tests.Support;

namespace Uniscale.Checkpoints.Tests.Saving;

/// <summary>A save may be killed at any moment: what says that it is good is good, and the next save clears up.</summary>
public sealed class KillTests
{
    /// <summary>How often saves are killed at random moments; nightly more often than in the tests.</summary>
    private static int RandomKills =>
        int.TryParse(Environment.GetEnvironmentVariable("UNISCALE_RANDOM_KILLS"), CultureInfo.InvariantCulture, out int kills) ? kills : 4;

    /// <summary>Rank 0 does with one file a host what it does with one a rank: that is for the night.</summary>
    public static TheoryData<FileGrouping, SavePoint, int, long> Deaths()
    {
        var deaths = new TheoryData<FileGrouping, SavePoint, int, long>();
        bool isNight = Environment.GetEnvironmentVariable("UNISCALE_RANDOM_KILLS") is not null;
        foreach (var files in Enum.GetValues<FileGrouping>())
            foreach (var point in Enum.GetValues<SavePoint>())
            {
                if (files == FileGrouping.Rank || isNight)
                    deaths.Add(files, point, 0, point >= SavePoint.Renamed ? 2 : 1);
                if (point is >= SavePoint.Staged and < SavePoint.Announced)
                    deaths.Add(files, point, SavingChild.Ranks - 1, 1);
            }
        return deaths;
    }

    [Theory]
    [MemberData(nameof(Deaths))]
    public async Task ASaveKilledAtAPointLeavesTheRightCheckpointNewest(FileGrouping files, SavePoint point, int rank, long newest)
    {
        using var folder = new TempFolder();
        using var child = SavingChild.StartDying(folder.Path, files, point, rank);
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(128 + 9, child.ExitCode);
        Assert.Equal(newest, LoadedStep(folder.Path));
        ProveNextSaveClearsUp(folder.Path);
    }

    [Theory]
    [InlineData(FileGrouping.Rank)]
    [InlineData(FileGrouping.Node)]
    public async Task SavesKilledAtRandomMomentsNeverLoseTheNewest(FileGrouping files)
    {
        using var folder = new TempFolder();
        var random = new Random(11);
        long durable = 0;
        for (int trial = 0; trial < RandomKills / 2; trial++)
        {
            using var child = SavingChild.StartEverlasting(folder.Path, files);
            string? first = await child.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
            Assert.NotNull(first);
            await Task.Delay(random.Next(60 + (4 * SavingChild.Ranks)), TestContext.Current.CancellationToken);
            child.Kill();
            string rest = await child.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            long announced = (first + "\n" + rest).Split('\n', StringSplitOptions.RemoveEmptyEntries).Max(long.Parse);
            Assert.True(announced > durable);
            long loaded = LoadedStep(folder.Path);
            Assert.InRange(loaded, announced, announced + 1);
            durable = loaded;
        }
        ProveNextSaveClearsUp(folder.Path);
    }

    private static long LoadedStep(string directory) =>
        ThreadWorld.Run(
            SavingChild.Ranks,
            world =>
            {
                using var model = SavingChild.Model(world.Rank);
                using var store = new CheckpointStore(directory, world);
                var loaded = store.LoadNewest(_ => model.Slices)!;
                Assert.Empty(loaded.Notes);
                Assert.Null(model.FirstDifference((int)loaded.Manifest.Step));
                return loaded.Manifest.Step;
            }
        )[0];

    private static void ProveNextSaveClearsUp(string directory)
    {
        ThreadWorld.Run(
            SavingChild.Ranks,
            world =>
            {
                using var model = SavingChild.Model(world.Rank);
                using var store = new CheckpointStore(directory, world, new CheckpointOptions { Keep = 1 });
                return store.Save(model.Fill(1).State(1_000_000)).Status;
            }
        );
        Assert.Equal(["step-01000000"], Directory.GetFileSystemEntries(directory).Select(Path.GetFileName));
    }
}
