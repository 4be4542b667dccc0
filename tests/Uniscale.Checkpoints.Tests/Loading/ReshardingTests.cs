using Uniscale.Checkpoints.Tests.Support;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tests.Loading;

public sealed class ReshardingTests
{
    private const ElementType Half = ElementType.BFloat16;
    private const ElementType Single = ElementType.Float32;

    /// <summary>Layouts by name: ranks, and what each holds of a small model.</summary>
    private static readonly Dictionary<string, (int Ranks, Func<int, Tensors> Of)> Layouts = new()
    {
        ["one rank"] = (1, _ => Model(1, 0, 0, 12)),
        ["data parallel 2"] = (2, _ => Model(1, 0, 0, 12)),
        ["tensor parallel 2"] = (2, rank => Model(2, rank, 0, 12)),
        ["tensor parallel 4"] = (4, rank => Model(4, rank, 0, 12)),
        ["ZeRO 3"] = (3, rank => Sharded(3, rank)),
        ["ZeRO 5"] = (5, rank => Sharded(5, rank)),
        ["ZeRO 2 of tensor parallel 2"] = (4, rank => Model(2, rank / 2, rank % 2 * 6, 6, [rank / 2 * 2, (rank / 2 * 2) + 1])),
    };

    public static TheoryData<string, string> Pairs()
    {
        var pairs = new TheoryData<string, string>();
        foreach (string from in Layouts.Keys)
        {
            foreach (string to in Layouts.Keys)
                pairs.Add(from, to);
        }
        return pairs;
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void AnyLayoutBecomesAnyOtherBitForBit(string from, string to)
    {
        using var folder = new TempFolder();
        ThreadWorld.Run(
            Layouts[from].Ranks,
            world =>
            {
                using var model = Layouts[from].Of(world.Rank).Fill(1);
                using var store = new CheckpointStore(folder.Path, world);
                Assert.Equal(SaveStatus.Durable, store.SaveAsync(model.State(9)).Wait().Status);
                return 0;
            }
        );
        ThreadWorld.Run(
            Layouts[to].Ranks,
            world =>
            {
                using var model = Layouts[to].Of(world.Rank);
                using var store = new CheckpointStore(folder.Path, world);
                store.LoadNewest(_ => model.Slices);
                Assert.Null(model.FirstDifference(1));
                return 0;
            }
        );
    }

    // Column, row and vocabulary splits over `parts` ranks; the optimizer's copy holds a range of rows of the local matrix.
    private static Tensors Model(int parts, int part, long row, long rows, int[]? holders = null)
    {
        long own = 24 / parts;
        var model = new Tensors()
            .Add("embedding.tokens.weight", Half, [24, 10], [part * own, 0], [own, 10], holders)
            .Add("layers.0.attention.wq.weight", Half, [24, 24], [part * own, 0], [own, 24], holders)
            .Add("layers.0.attention.wo.weight", Half, [12, 24], [0, part * own], [12, own], holders)
            .Add("head.norm.weight", Half, [7]);
        return model.Add("optimizer.m/layers.0.attention.wo.weight", Single, [12, 24], [row, part * own], [rows, own]);
    }

    // Every tensor cut into equal ranges of elements, wherever they fall.
    private static Tensors Sharded(int parts, int part)
    {
        var model = new Tensors();
        Cut("embedding.tokens.weight", Half, [24, 10]);
        Cut("layers.0.attention.wq.weight", Half, [24, 24]);
        Cut("layers.0.attention.wo.weight", Half, [12, 24]);
        Cut("head.norm.weight", Half, [7]);
        Cut("optimizer.m/layers.0.attention.wo.weight", Single, [12, 24]);
        return model;

        void Cut(string name, ElementType type, long[] shape)
        {
            long count = shape.Aggregate(1L, (a, b) => a * b);
            var (start, end) = (count * part / parts, count * (part + 1) / parts);
            model.AddRange(name, type, shape, start, end - start);
        }
    }
}
