using Uniscale.Checkpoints.Tests.Support;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tests;

public sealed class CheckpointStoreTests
{
    private static Tensors Model() =>
        new Tensors()
            .Add("embedding.tokens.weight", ElementType.BFloat16, [10, 6])
            .Add("layers.0.attention.wq.weight", ElementType.Float32, [6, 6])
            .Add("head.norm.weight", ElementType.Float32, [6])
            .Add("optimizer.step", ElementType.Int64, []);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ASaveIsReadBackBitForBit(bool asynchronous)
    {
        using var folder = new TempFolder();
        ThreadWorld.Run(
            1,
            world =>
            {
                using var model = Model().Fill(7);
                using var store = new CheckpointStore(folder.Path, world);
                var result = asynchronous ? store.SaveAsync(model.State(100)).Wait() : store.Save(model.State(100));
                Assert.Equal((SaveStatus.Durable, ""), (result.Status, result.Reason));
                Assert.Equal(folder["step-00000100"], result.Path);
                model.Fill(8);
                var loaded = store.LoadNewest(_ => model.Slices)!;
                Assert.Null(model.FirstDifference(7));
                Assert.Equal(100_000, loaded.Manifest.ConsumedTokens);
                Assert.Equal(model.State(100).ConfigurationYaml, loaded.Manifest.ConfigurationYaml);
                Assert.Equal(model.State(100).Extra["ledger"], loaded.Manifest.Extra["ledger"]);
                Assert.Empty(loaded.Notes);
                return 0;
            }
        );
        Assert.Equal(
            ["COMMITTED", "manifest.json", "rank-00000.safetensors"],
            Directory.GetFiles(folder["step-00000100"]).Select(Path.GetFileName).Order()
        );
        Assert.Equal([folder["step-00000100"]], Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void AnAsynchronousSaveHoldsTheValuesOfItsCall()
    {
        using var folder = new TempFolder();
        ThreadWorld.Run(
            1,
            world =>
            {
                using var mayWrite = new ManualResetEventSlim();
                using var model = Model().Fill(1);
                using var store = new CheckpointStore(
                    folder.Path,
                    world,
                    new CheckpointOptions
                    {
                        Probe = point =>
                        {
                            if (point == SavePoint.FirstBlockWritten)
                                mayWrite.Wait();
                        },
                    }
                );
                var pending = store.SaveAsync(model.State(1));
                model.Fill(2);
                Assert.True(store.Busy);
                mayWrite.Set();
                Assert.Equal(SaveStatus.Durable, pending.Wait().Status);
                store.LoadNewest(_ => model.Slices);
                Assert.Null(model.FirstDifference(1));
                return 0;
            }
        );
    }

    [Fact]
    public void WhatSeveralRanksHoldIsWrittenOnceAndShared()
    {
        using var folder = new TempFolder();
        long[] sizes = ThreadWorld.Run(
            4,
            world =>
            {
                using var model = new Tensors();
                for (int i = 0; i < 8; i++)
                    model.Add($"w{i}", ElementType.Float32, [64, 64]);
                model.Add("own", ElementType.Float32, [4, 512], [world.Rank, 0], [1, 512]);
                using var store = new CheckpointStore(folder.Path, world);
                var result = store.SaveAsync(model.Fill(3).State(5)).Wait();
                Assert.Equal(SaveStatus.Durable, result.Status);
                model.Fill(4);
                Assert.NotNull(store.LoadNewest(_ => model.Slices));
                Assert.Null(model.FirstDifference(3));
                return result.SizeBytes;
            }
        );
        Assert.All(sizes, size => Assert.Equal(4096 + RoundUpToPages(2 * 64 * 64 * 4 + 512 * 4 + 3 * 16), size));
    }

    [Fact]
    public void RanksThatLeaveAPartOutOrOverlapAreRefused()
    {
        using var folder = new TempFolder();
        var missing = Assert.Throws<CheckpointException>(() => SaveParts(folder, (0, 2), (3, 1)));
        Assert.Contains("tensor 'w' once: its parts have 3 of its 4 elements", missing.Message);
        var overlapping = Assert.Throws<CheckpointException>(() => SaveParts(folder, (0, 2), (1, 3)));
        Assert.Contains("overlap", overlapping.Message);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    private static void SaveParts(TempFolder folder, params (long Offset, long Extent)[] parts) =>
        ThreadWorld.Run(
            parts.Length,
            world =>
            {
                var (offset, extent) = parts[world.Rank];
                using var model = new Tensors().Add("w", ElementType.Float32, [4], [offset], [extent]);
                using var store = new CheckpointStore(folder.Path, world);
                return store.Save(model.State(1));
            }
        );

    [Fact]
    public void AModelThatDoesNotFitIsOneSentence()
    {
        using var folder = new TempFolder();
        ThreadWorld.Run(
            2,
            world =>
            {
                using var model = Model().Fill(1);
                using var store = new CheckpointStore(folder.Path, world);
                store.Save(model.State(1));
                using var other = new Tensors().Add("head.norm.weight", ElementType.Float32, [8]);
                var shape = Assert.Throws<CheckpointMismatchException>(() => store.LoadNewest(_ => other.Slices));
                Assert.Contains("tensor 'head.norm.weight' has shape [6]", shape.Message);
                using var unknown = new Tensors().Add("layers.9.w", ElementType.Float32, [8]);
                var name = Assert.Throws<CheckpointMismatchException>(() => store.LoadNewest(_ => world.Rank == 1 ? unknown.Slices : []));
                Assert.Contains("no tensor 'layers.9.w'", name.Message);
                return 0;
            }
        );
    }

    [Fact]
    public void NothingThereIsNull()
    {
        using var folder = new TempFolder();
        Assert.All(ThreadWorld.Run(2, world => new CheckpointStore(folder["none"], world).LoadNewest(_ => [])), Assert.Null);
    }

    [Fact]
    public void ADamagedCheckpointIsPassedOverWithASentence()
    {
        using var folder = new TempFolder();
        ThreadWorld.Run(
            2,
            world =>
            {
                using var model = Model();
                using var store = new CheckpointStore(folder.Path, world);
                store.Save(model.Fill(1).State(1));
                store.Save(model.Fill(2).State(2));
                if (world.Rank == 0)
                    Damage(Path.Combine(folder["step-00000002"], "rank-00001.safetensors"), 4096);
                var loaded = store.LoadNewest(_ => model.Slices)!;
                Assert.Equal(1, loaded.Manifest.Step);
                Assert.Null(model.FirstDifference(1));
                Assert.Contains("rank-00001.safetensors: tensor '", Assert.Single(loaded.Notes));
                return 0;
            }
        );
    }

    [Fact]
    public void ADamagedCheckpointIsNotCountedAmongThoseThatAreKept()
    {
        using var folder = new TempFolder();
        ThreadWorld.Run(
            1,
            world =>
            {
                using var model = Model();
                using var store = new CheckpointStore(folder.Path, world, new CheckpointOptions { Keep = 2 });
                store.Save(model.Fill(1).State(1));
                store.Save(model.Fill(2).State(2));
                Damage(Path.Combine(folder["step-00000002"], "rank-00000.safetensors"), -1);
                store.LoadNewest(_ => model.Slices);
                store.Save(model.Fill(3).State(3));
                return 0;
            }
        );
        Assert.Equal(
            ["step-00000001", "step-00000002", "step-00000003"],
            Directory.GetDirectories(folder.Path).Select(Path.GetFileName).Order()
        );
        Assert.Contains("rank-00000.safetensors", File.ReadAllText(Path.Combine(folder["step-00000002"], "damaged.txt")));
    }

    [Fact]
    public void WithoutRoomForOneCheckpointTheReasonIsKnownBeforehand()
    {
        using var folder = new TempFolder();
        ThreadWorld.Run(
            2,
            world =>
            {
                using var model = Model().Fill(1);
                using var roomy = new CheckpointStore(folder.Path, world);
                Assert.Null(roomy.Prepare(model.Slices, behind: true));
                using var full = new CheckpointStore(folder.Path, world, new CheckpointOptions { ReserveBytes = long.MaxValue / 2 });
                Assert.Contains("make room there", full.Prepare(model.Slices, behind: true));
                return 0;
            }
        );
    }

    private static long RoundUpToPages(long bytes) => (bytes + 4095) / 4096 * 4096;

    private static void Damage(string path, int index)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[index < 0 ? bytes.Length + index : index] ^= 1;
        File.WriteAllBytes(path, bytes);
    }
}
