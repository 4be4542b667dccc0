using Uniscale.Checkpoints;
using Uniscale.Collectives;
using Uniscale.Engine.Devices;
using static TorchSharp.torch;

namespace Uniscale.Engine.Buckets;

/// <summary>
/// A bucket's state by global name and slice, as checkpoints and comparisons see it: addresses are those of an image in host memory.
/// </summary>
public static class BucketSlices
{
    /// <summary>Names of optimizer state: <c>optimizer.m/NAME</c> and so on.</summary>
    public const string FirstMoment = "optimizer.m/",
        SecondMoment = "optimizer.v/",
        Master = "optimizer.master/";

    /// <summary>Parameters and optimizer state of this rank's shard: what a save writes. What replicas hold alike they all name.</summary>
    /// <param name="bucket">The bucket.</param>
    /// <param name="image">Its tensors in host memory.</param>
    /// <param name="holders">World ranks that hold the same shard.</param>
    public static IEnumerable<StateSlice> Shard(Bucket bucket, HostImage image, IReadOnlyList<int> holders) =>
        Shard(bucket, image, ownedOnly: true).Select(slice => slice with { Holders = holders });

    /// <summary>What a load fills: whole parameters where this rank holds them whole, and the shard of the optimizer state.</summary>
    public static IEnumerable<StateSlice> Held(Bucket bucket, HostImage image) =>
        bucket.ParametersAreSharded
            ? Shard(bucket, image, ownedOnly: false)
            :
            [
                .. Of(bucket, image, "", bucket.WholeFlat, new FlatSpan(0, bucket.Layout.Count), ownedOnly: false),
                .. Optimizer(bucket, image, ownedOnly: false),
            ];

    /// <summary>Summed gradients of the shard, under the parameters' names.</summary>
    public static IEnumerable<StateSlice> Gradients(Bucket bucket, HostImage image) =>
        Of(bucket, image, "", bucket.GradientShard, bucket.Layout.Shard, ownedOnly: true);

    /// <summary>Weights of the shard in fp32, under the parameters' names.</summary>
    public static IEnumerable<StateSlice> Weights(Bucket bucket, HostImage image) =>
        Of(bucket, image, "", bucket.Master, bucket.Layout.Shard, ownedOnly: true);

    private static IEnumerable<StateSlice> Shard(Bucket bucket, HostImage image, bool ownedOnly) =>
        [.. Of(bucket, image, "", bucket.ParameterShard, bucket.Layout.Shard, ownedOnly), .. Optimizer(bucket, image, ownedOnly)];

    private static IEnumerable<StateSlice> Optimizer(Bucket bucket, HostImage image, bool ownedOnly)
    {
        var shard = bucket.Layout.Shard;
        var slices = Of(bucket, image, FirstMoment, bucket.FirstMoment, shard, ownedOnly)
            .Concat(Of(bucket, image, SecondMoment, bucket.SecondMoment, shard, ownedOnly));
        return bucket.Type == ScalarType.Float32 ? slices : slices.Concat(Of(bucket, image, Master, bucket.Master, shard, ownedOnly));
    }

    /// <summary>Slices of a buffer that holds the elements <paramref name="held"/> of the bucket; padding is left out, and on request
    /// what another rank of the tensor group or the other end of a tied pipeline speaks for.</summary>
    internal static IEnumerable<StateSlice> Of(Bucket bucket, HostImage image, string prefix, Tensor buffer, FlatSpan held, bool ownedOnly)
    {
        var memory = image.Of(buffer);
        return Of(bucket.Layout, prefix, memory.Type, held, memory.Address, ownedOnly);
    }

    /// <summary>The same of a layout alone, whether or not there is memory at <paramref name="address"/>.</summary>
    internal static IEnumerable<StateSlice> Of(
        FlatLayout layout,
        string prefix,
        ElementType type,
        FlatSpan held,
        nint address,
        bool ownedOnly
    )
    {
        foreach (var placed in layout.Parameters)
        {
            var (parameter, range) = placed;
            if (ownedOnly && !parameter.IsOwner)
                continue;
            var part = placed.Real.Intersect(held);
            if (part.Count == 0)
                continue;
            var slices = FlatRange.Slices(
                prefix + parameter.Spec.Name,
                type,
                parameter.Spec.Shape,
                parameter.Offset,
                parameter.Extent,
                part.Start - range.Start,
                part.Count,
                address + (nint)((part.Start - held.Start) * type.SizeBytes())
            );
            foreach (var slice in slices)
                yield return slice;
        }
    }
}
