using Uniscale.Checkpoints;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Devices;
using Uniscale.Torch;
using Uniscale.Training.Runtime;
using static TorchSharp.torch;

namespace Uniscale.Experiments.Verification;

/// <summary>
/// What a short run computed, whatever its layout; the critic's tensors are among the others by their names in checkpoints.
/// </summary>
/// <param name="Losses">Loss of every step.</param>
/// <param name="Gradients">Gradients of the first step by global name.</param>
/// <param name="Weights">fp32 weights after the last step by global name.</param>
/// <param name="Memory">Bytes that the first rank holds between steps.</param>
public sealed record RunRecord(
    IReadOnlyList<double> Losses,
    IReadOnlyDictionary<string, float[]> Gradients,
    IReadOnlyDictionary<string, float[]> Weights,
    MemoryAccount Memory
)
{
    /// <summary>Trains a rank's runtime for some steps; every rank of the world calls it and every rank gets the whole record.</summary>
    public static RunRecord Of(RankRuntime runtime, int steps)
    {
        var losses = new List<double>();
        var gradients = new Dictionary<string, float[]>();
        (RankRuntime Part, string Prefix)[] parts =
        [
            (runtime, ""),
            .. runtime.Critic is { } critic ? [(critic, RankRuntime.CriticPrefix)] : Array.Empty<(RankRuntime, string)>(),
        ];
        foreach (var (part, prefix) in parts)
            part.GradientsReady = _ => Add(gradients, prefix, Gather(part, BucketSlices.Gradients));
        for (int step = 0; step < steps; step++)
        {
            losses.Add(runtime.Step().Decision.Loss);
            foreach (var (part, _) in parts)
                part.GradientsReady = null;
        }
        var weights = new Dictionary<string, float[]>();
        foreach (var (part, prefix) in parts)
        {
            part.Settle();
            Add(weights, prefix, Gather(part, BucketSlices.Weights));
        }
        return new RunRecord(
            losses,
            gradients,
            weights,
            parts.Aggregate(default(MemoryAccount), (sum, part) => sum + part.Part.Model.Memory)
        );
    }

    private static void Add(Dictionary<string, float[]> all, string prefix, Dictionary<string, float[]> found)
    {
        foreach (var (name, values) in found)
            all[prefix + name] = values;
    }

    /// <summary>
    /// Whole tensors from the slices of all ranks. Each element is given by one rank (the first of its replicas) and is zero on the others,
    /// so their sum is the tensor.
    /// </summary>
    private static Dictionary<string, float[]> Gather(RankRuntime runtime, Func<Bucket, HostImage, IEnumerable<StateSlice>> slicesOf)
    {
        using var scope = NewDisposeScope();
        using var image = runtime.Model.Link.Image();
        var mine = runtime
            .Model.Buckets.Where(bucket => runtime.Model.GroupsOf(bucket).ShardReplicas.Rank == 0)
            .SelectMany(bucket => slicesOf(bucket, image))
            .ToLookup(slice => slice.Name);
        image.Fetch();
        var whole = new Dictionary<string, float[]>();
        foreach (var spec in runtime.AllParameters)
        {
            using var tensor = zeros(spec.Shape, ScalarType.Float32);
            foreach (var slice in mine[spec.Name])
                Place(tensor, slice);
            runtime.World.HostGroup.AllReduce(TensorBuffer.Of(tensor)).Wait();
            whole[spec.Name] = tensor.data<float>().ToArray();
        }
        return whole;
    }

    private static void Place(Tensor whole, StateSlice slice)
    {
        using var scope = NewDisposeScope();
        var target = whole;
        for (int dim = 0; dim < slice.Shape.Length; dim++)
            target = target.narrow(dim, slice.Offset[dim], slice.Shape[dim]);
        target.copy_(TensorMemory.FromPointer(slice.Address, slice.Shape, ScalarType.Float32));
    }
}
