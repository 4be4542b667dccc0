using System.Diagnostics;
using System.Security.Cryptography;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Saving;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Model;
using Uniscale.Programs;

namespace Uniscale.Experiments.Benchmarks;

/// <summary>What saving and loading costs beside the bytes of the tensors, on a number of ranks that need not be here.</summary>
/// <param name="Layout">The layout, e.g. <c>tp8 pp4 dp64 zero1</c>.</param>
/// <param name="Ranks">Ranks of the job.</param>
/// <param name="StateBytes">Bytes of all tensors.</param>
/// <param name="SliceCount">Slices of all ranks.</param>
/// <param name="GatheredBytes">Bytes that each rank has of the others before it knows what it writes.</param>
/// <param name="PlanSeconds">A rank's time to find out what it writes.</param>
/// <param name="PlanBytes">Memory that it keeps for that.</param>
/// <param name="ManifestBytes">Bytes that rank 0 writes at the commit.</param>
/// <param name="ManifestSeconds">Its time for that.</param>
/// <param name="ReadSeconds">A rank's time to read it when it resumes.</param>
/// <param name="KeptBytes">Memory that it keeps for that.</param>
/// <param name="ReadBytes">Bytes of manifests that all ranks of a resume read from storage.</param>
/// <param name="VerifySeconds">Time of <c>checkpoint verify</c> for all but reading tensors.</param>
public sealed record ScaleReport(
    string Layout, int Ranks, long StateBytes, long SliceCount, long GatheredBytes, double PlanSeconds, long PlanBytes, long ManifestBytes, double ManifestSeconds,
    double ReadSeconds, long KeptBytes, long ReadBytes, double VerifySeconds);

/// <summary>
/// Plan, manifest and resume of a layout, with the keys of its real slices and digests of no data: what grows with the number of ranks, without the tensors.
/// </summary>
public sealed class CheckpointScale
{
    private readonly SavedState _state;
    private readonly StepSpecification _specification;

    /// <param name="configuration">The run.</param>
    /// <param name="ranks">Ranks of the job; the replicas follow from it.</param>
    public CheckpointScale(RunConfiguration configuration, int ranks)
    {
        int replicas = Math.Max(1, ranks / configuration.Parallel.ReplicaRanks);
        // The batch says nothing about the state; any that the replicas can divide will do.
        configuration = configuration with
        {
            Parallel = configuration.Parallel with { Data = replicas },
            Batch = new BatchSection { Global = replicas, Micro = 1 },
            Phases = [],
        };
        _specification = SpecificationBuilder.Build(configuration, ranks);
        var type = configuration.Train.Precision == PrecisionKind.Bf16 ? ElementType.BFloat16 : ElementType.Float32;
        _state = new SavedState(Transformer.Blocks(configuration.Model, _specification.Model.Vocabulary), _specification, type);
    }

    /// <summary>Measures.</summary>
    public ScaleReport Run()
    {
        int ranks = _specification.Mesh.Size;
        byte[][] gathered = [.. Enumerable.Range(0, ranks).Select(rank => SliceKey.Serialize([.. _state.Of(rank).Select(SliceKey.Of)]))];
        var plan = Measured(() => SavePlan.Make([.. gathered.Select(SliceKey.Deserialize)]));
        long gatheredBytes = gathered.Sum(bytes => (long)bytes.Length);
        gathered = [];
        int slices = Enumerable.Range(0, ranks).Sum(rank => plan.Result.Of(rank).Count);
        ShardDigests[] digests = [.. Enumerable.Range(0, ranks).Select(rank => DigestsOfNothing(plan.Result.Of(rank)))];
        var state = new CheckpointState { Step = 1, ConsumedTokens = 1, Slices = [] };
        var json = Measured(() => new Committer("", new CheckpointOptions()).Describe(state, plan.Result, digests, ordinal: 1).ToJson());
        long stateBytes = plan.Result.TotalBytes;
        plan = plan with { Result = null! };
        digests = [];
        var read = Measured(() => Read(json.Result));
        double verify = read.Seconds + Measured(() => Enumerable.Range(0, read.Result.Files.Count).Sum(file => PartsOf(read.Result, file).Length)).Seconds;
        return new ScaleReport(
            Layout(), ranks, stateBytes, slices, gatheredBytes, plan.Seconds, plan.Bytes, json.Result.Length, json.Seconds,
            read.Seconds, read.Bytes, (long)json.Result.Length * ranks, verify);
    }

    private static ShardDigests DigestsOfNothing(IReadOnlyList<SliceKey> keys)
    {
        var image = ShardImage.Of(keys);
        return new ShardDigests(image.SizeBytes, Digest.Of(image.Header),
            [.. keys.Select(key => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes((int)Digest.ChunkCount(key.SizeBytes) * 16)))]);
    }

    private static CheckpointManifest Read(byte[] json)
    {
        var manifest = CheckpointManifest.FromJson(json);
        return ManifestRules.Broken(manifest) is { } problem ? throw new CheckpointDamagedException(problem) : manifest;
    }

    private static (TensorRecord, SliceRecord)[] PartsOf(CheckpointManifest manifest, int file) =>
        [.. manifest.Tensors.SelectMany(tensor => tensor.Slices.Where(slice => slice.File == file).Select(slice => (tensor, slice)))];

    private static (T Result, double Seconds, long Bytes) Measured<T>(Func<T> body)
    {
        long before = GC.GetTotalMemory(forceFullCollection: true);
        long start = Stopwatch.GetTimestamp();
        var result = body();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return (result, seconds, Math.Max(0, GC.GetTotalMemory(forceFullCollection: true) - before));
    }

    private string Layout()
    {
        var mesh = _specification.Mesh;
        return string.Join(' ', MeshAxis.All.Where(axis => mesh[axis.Axis] > 1).Select(axis => $"{axis.Letters}{mesh[axis.Axis]}").Append($"zero{_specification.Sharding}"));
    }
}
