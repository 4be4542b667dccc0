using Uniscale.Checkpoints;
using Uniscale.Collectives.InProcess;
using Uniscale.Collectives.Nccl;
using Uniscale.Configuration;
using Uniscale.NcclEmulation;
using Uniscale.Torch;
using Uniscale.Training.Runtime;
using Uniscale.Training.Tests.Support;
using static TorchSharp.torch;

namespace Uniscale.Training.Tests.Devices;

/// <summary>
/// Steps and checkpoints that go through pinned memory, on the emulator of the CUDA runtime: its devices address host memory.
/// </summary>
[Collection("the emulator's counters are the process's")]
public sealed class StagedLinkTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("uniscale-staged-");

    public StagedLinkTests() => NcclEmulator.Use();

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void AStepWaitsForTheDeviceOnceAndComputesWhatTheHostDoes()
    {
        double[] expected = OnHost(runtime => Losses(runtime, 5));
        var (losses, waits) = OnDevice(
            TestRuns.Tiny,
            runtime =>
            {
                double[] first = Losses(runtime, 2);
                long before = runtime.Model.Link.WaitCount;
                return ((double[])[.. first, .. Losses(runtime, 3)], runtime.Model.Link.WaitCount - before);
            }
        );
        Assert.Equal(expected, losses);
        Assert.Equal(3, waits);
    }

    [Fact]
    public void ACheckpointOfADeviceIsThatOfTheHostAndEachResumesTheOthers()
    {
        double[] unbroken = OnHost(runtime => Losses(runtime, 6));
        double[] begun = OnDevice(
            TestRuns.Tiny,
            runtime =>
            {
                double[] losses = Losses(runtime, 2);
                Save(runtime, "device");
                return losses;
            }
        );
        double[] onHost = OnHost(runtime =>
        {
            double[] losses = Resumed(runtime, "device", 2);
            Save(runtime, "host");
            return losses;
        });
        double[] onDevice = OnDevice(TestRuns.Tiny, runtime => Resumed(runtime, "host", 2));
        Assert.Equal(unbroken, begun.Concat(onHost).Concat(onDevice));
    }

    [Fact]
    public void ReplicasAreComparedAndMemoryIsTold()
    {
        var run = TestRuns.Tiny with { Train = TestRuns.Tiny.Train with { ChecksumEvery = 1 } };
        long? used = OnDevice(
            run,
            runtime =>
            {
                runtime.Step();
                runtime.CompareBeforeSave();
                return runtime.Model.Link.DeviceBytesInUse;
            }
        );
        Assert.Equal(1L << 30, used);
    }

    [Fact]
    public void WhatIsUploadedIsTheCallersAtOnce()
    {
        OnDevice(
            TestRuns.Tiny,
            runtime =>
            {
                using var scope = NewDisposeScope();
                using var host = arange(Scalars.Of(1000), int64);
                var there = runtime.Model.Link.Upload(host);
                host.fill_(Scalars.Of(-1));
                Assert.Equal(Enumerable.Range(0, 1000).Select(i => (long)i), runtime.Model.Link.Read<long>(there));
                return 0;
            }
        );
    }

    private static double[] Losses(RankRuntime runtime, int steps) =>
        [.. Enumerable.Range(0, steps).Select(_ => runtime.Step().Decision.Loss)];

    private static T OnHost<T>(Func<RankRuntime, T> body) =>
        TestRuns.OnRanks(
            1,
            world =>
            {
                using var runtime = TestRuns.Runtime(TestRuns.Tiny, world);
                return body(runtime);
            }
        )[0];

    private static T OnDevice<T>(RunConfiguration run, Func<RankRuntime, T> body)
    {
        using var world = NcclWorld.Join(InProcessWorld.Create(1)[0], new NcclDevice(0) { ComputesOnHost = true });
        using var runtime = TestRuns.Runtime(run, world);
        Assert.False(runtime.Model.Link.IsDirect);
        return body(runtime);
    }

    private double[] Resumed(RankRuntime runtime, string name, int steps)
    {
        using var store = new CheckpointStore(Path.Combine(_folder.FullName, name), runtime.World);
        Assert.NotNull(runtime.Resume(store));
        return Losses(runtime, steps);
    }

    private void Save(RankRuntime runtime, string name)
    {
        using var store = new CheckpointStore(Path.Combine(_folder.FullName, name), runtime.World);
        store.Save(
            new CheckpointState
            {
                Step = runtime.Position.Step,
                ConsumedTokens = runtime.Position.ConsumedTokens,
                ConfigurationYaml = "",
                ConfigurationHash = "",
                DataFingerprint = runtime.Data.FingerprintAt(runtime.Position.ConsumedTokens),
                Extra = runtime.ExtraToSave(),
                Slices = runtime.StateToSave(),
                Tensors = runtime.TensorsToSave,
            }
        );
    }
}
