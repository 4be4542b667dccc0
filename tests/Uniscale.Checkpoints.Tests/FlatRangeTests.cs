using FsCheck;
using FsCheck.Fluent;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tests;

public sealed class FlatRangeTests
{
    [Fact]
    public void SlicesCoverTheRangeInOrder()
    {
        var shapes = Gen.Choose(1, 5).ArrayOf().Where(dims => dims.Length <= 4);
        Prop.ForAll(
                Arb.From(shapes),
                Arb.From(Gen.Choose(0, int.MaxValue).Two()),
                (dims, cuts) =>
                {
                    long[] shape = [.. dims.Select(dim => (long)dim)];
                    long total = shape.Aggregate(1L, (a, b) => a * b);
                    var (start, end) = (
                        Math.Min(cuts.Item1 % (total + 1), cuts.Item2 % (total + 1)),
                        Math.Max(cuts.Item1 % (total + 1), cuts.Item2 % (total + 1))
                    );
                    long[] offset = shape.Select((_, dim) => 10L * dim).ToArray();
                    var slices = FlatRange
                        .Slices("w", ElementType.Float32, [.. shape.Select(dim => dim + 50)], offset, shape, start, end - start, 4096)
                        .ToArray();
                    var covered = slices.SelectMany(slice => Elements(slice, offset, shape)).ToArray();
                    Assert.Equal(
                        Enumerable.Range((int)start, (int)(end - start)).Select(index => (index, 4096 + 4 * (index - (nint)start))),
                        covered
                    );
                    Assert.True(slices.Length <= Math.Max(1, 2 * shape.Length - 1));
                }
            )
            .QuickCheckThrowOnFailure();
    }

    private static IEnumerable<(int Index, nint Address)> Elements(StateSlice slice, long[] origin, long[] local)
    {
        for (long i = 0; i < slice.Count; i++)
        {
            long rest = i,
                linear = 0,
                stride = 1;
            for (int dim = local.Length - 1; dim >= 0; dim--)
            {
                linear += (slice.Offset[dim] - origin[dim] + rest % slice.Shape[dim]) * stride;
                rest /= slice.Shape[dim];
                stride *= local[dim];
            }
            yield return ((int)linear, slice.Address + (nint)(4 * i));
        }
    }
}
