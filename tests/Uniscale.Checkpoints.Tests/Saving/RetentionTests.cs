using Uniscale.Checkpoints.Tests.Support;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tests.Saving;

public sealed class RetentionTests
{
    [Theory]
    [InlineData(0, "40 45")]
    [InlineData(10, "35 40 45")]
    [InlineData(12, "30 35 40 45")]
    [InlineData(100, "5 10 15 20 25 30 35 40 45")]
    public void WhatARunMayGoBackToStays(long reach, string expected)
    {
        using var folder = new TempFolder();
        Save(folder, new CheckpointOptions { Keep = 2, Reach = reach }, [.. Enumerable.Range(1, 9).Select(i => 5L * i)]);
        Assert.Equal(expected, Steps(folder));
    }

    [Fact]
    public void TheNewestThatFitsIsLoadedAndWhatWasTakenBackGoes()
    {
        using var folder = new TempFolder();
        ThreadWorld.Run(
            2,
            world =>
            {
                using var model = Model();
                using var store = new CheckpointStore(folder.Path, world, new CheckpointOptions { Keep = 0 });
                foreach (int step in (int[])[5, 10, 15, 20])
                {
                    model.Fill(step);
                    store.Save(model.State(step) with { Keep = step == 15 });
                }
                Assert.Equal(10, store.LoadNewest(_ => model.Slices, step => step < 15)!.Manifest.Step);
                Assert.Null(model.FirstDifference(10));
                Assert.Null(store.LoadNewest(_ => model.Slices, step => step > 20));
                store.Discard(step => step is > 5 and < 20);
                return 0;
            }
        );
        Assert.Equal("5 15 20", Steps(folder));
    }

    private static Tensors Model() => new Tensors().Add("layers.0.attention.wq.weight", ElementType.Float32, [6, 6]);

    private static void Save(TempFolder folder, CheckpointOptions options, long[] steps) =>
        ThreadWorld.Run(
            1,
            world =>
            {
                using var model = Model().Fill(1);
                using var store = new CheckpointStore(folder.Path, world, options);
                foreach (long step in steps)
                    store.Save(model.State(step));
                return 0;
            }
        );

    private static string Steps(TempFolder folder) =>
        string.Join(' ', Directory.GetDirectories(folder.Path).Select(path => int.Parse(Path.GetFileName(path)["step-".Length..])).Order());
}
