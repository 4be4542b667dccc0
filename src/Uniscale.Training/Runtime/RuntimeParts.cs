using TorchSharp;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Devices;
using Uniscale.Engine.Execution;
using Uniscale.Engine.Mesh;
using Uniscale.Engine.Parallel;
using Uniscale.Kernels;
using Uniscale.Kernels.Cpu;
using Uniscale.Kernels.Reference;
using Uniscale.Programs;
using static TorchSharp.torch;

namespace Uniscale.Training.Runtime;

/// <summary>What of a rank's time is recorded.</summary>
public enum Recording
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Instructions, communication and waits.</summary>
    Instructions,

    /// <summary>Kernels and operators of libtorch too.</summary>
    Kernels,
}

/// <summary>What a rank is put together from: the composition root of a run.</summary>
internal sealed record RuntimeParts(
    RunConfiguration Configuration,
    IWorld World,
    ISequenceSource Data,
    long RunTokens,
    RankState Model,
    IKernels Kernels,
    Programs Programs,
    WaitClock Waits,
    Timeline? Timeline
)
{
    /// <summary>The model that answers are compared under; null: the objective needs none.</summary>
    public ReferenceModel? Reference { get; private init; }

    /// <summary>The model that scores answers; null: the run has none.</summary>
    public ReferenceModel? RewardModel { get; private init; }

    /// <summary>Another one, whose scores are only measured; null: the run has none.</summary>
    public ReferenceModel? HeldOutModel { get; private init; }

    public static RuntimeParts Build(
        RunConfiguration configuration,
        IWorld world,
        ISequenceSource data,
        long runTokens,
        int vocabulary,
        Recording recording,
        HostLink? link,
        Func<ProcessGroups, BucketPlan>? buckets,
        Func<IKernels, IKernels>? around = null
    )
    {
        link ??= HostLink.Of(configuration, world);
        var device = link.Device;
        var programs = new Programs(configuration, world.Rank, world.Size, vocabulary, link);
        var timeline =
            recording == Recording.None
                ? null
                : new Timeline(world.Rank, world.Journal, recordKernels: recording == Recording.Kernels)
                {
                    AwaitDevice = link.IsDirect ? null : link.Await,
                };
        var waits = new WaitClock { Listener = timeline is null ? null : timeline.Waited };
        var groups = ProcessGroups.Create(world, programs.Base, group => group.Size == 1 ? group : new MeasuredGroup(group, waits));
        var type = configuration.Train.Precision.TensorType();
        var blocks = BlockFactory.Build(configuration, programs.Base, groups, type, link, buckets?.Invoke(groups));
        var kernels = KernelsFor(device, packWeights: programs.Base.Sharding < 3);
        var seen = around?.Invoke(kernels) ?? kernels;
        var model = new RankState(
            groups,
            Ops(configuration, programs.Base, groups, timeline?.Recorded(seen) ?? seen, device),
            blocks,
            type,
            link
        );
        ReferenceModel OfScores() => ReferenceModel.OfScores(configuration, programs, model, world, vocabulary);
        return new RuntimeParts(configuration, world, data, runTokens, model, kernels, programs, waits, timeline)
        {
            Reference = configuration.ReadsReference ? ReferenceModel.Build(configuration, programs, model) : null,
            RewardModel = configuration.ReadsScores ? OfScores() : null,
            HeldOutModel = configuration.ReadsHeldOutScores ? OfScores() : null,
        };
    }

    /// <summary>The fastest kernels for a device.</summary>
    /// <param name="device">The device.</param>
    /// <param name="packWeights">Keep packed copies of weights, which are found by address: not where parameters come and go.</param>
    internal static IKernels KernelsFor(Device device, bool packWeights) =>
        device.type == DeviceType.CPU && CpuKernels.IsSupported ? new NativeKernels(packWeights) : TorchKernels.Instance;

    private static ParallelOps Ops(
        RunConfiguration configuration,
        StepSpecification specification,
        ProcessGroups groups,
        IKernels kernels,
        Device device
    )
    {
        var parallel = new ParallelGroups
        {
            Tensor = Several(groups.Tensor),
            KvReplicas = Several(groups.KvReplicas),
            Context = Several(groups.Context),
            Sequence = specification.SequenceParallel,
            ContextMethod = configuration.Parallel.ContextMethod,
        };
        return new ParallelOps(
            parallel,
            kernels,
            selective: specification.Recompute == RecomputeKind.Selective,
            fusedAttention: device.type == DeviceType.CUDA
        );
    }

    private static IProcessGroup? Several(IProcessGroup group) => group.Size > 1 ? group : null;
}
