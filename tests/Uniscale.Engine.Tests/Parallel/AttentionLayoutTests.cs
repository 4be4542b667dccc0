using Uniscale.Configuration;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Engine.Parallel.Sequences;
using Uniscale.Engine.Tests.Support;
using Uniscale.Kernels.Reference;
using Uniscale.Kernels.Tests.Support;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Tests.Parallel;

/// <summary>Attention over the context axis against one rank, with documents that begin and end anywhere.</summary>
public sealed class AttentionLayoutTests
{
    private const int Batch = 2,
        Length = 96,
        Heads = 12,
        KvHeads = 4,
        HeadDim = 8;

    [Theory]
    [InlineData(2, ContextKind.Ring, 1)]
    [InlineData(3, ContextKind.Ring, 2)]
    [InlineData(4, ContextKind.Ring, 3)]
    [InlineData(4, ContextKind.Ring, 40)] // documents of about two tokens: most blocks of the ring are masked out
    [InlineData(2, ContextKind.AllToAll, 4)]
    [InlineData(3, ContextKind.AllToAll, 5)] // four key-value heads do not divide over three ranks
    [InlineData(4, ContextKind.AllToAll, 6)]
    public void OutputAndGradientsEqualOneRank(int size, ContextKind method, int documents)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)(size + documents));
        Tensor Normal(int heads) => randn([Batch, Length, heads, HeadDim], generator: generator);
        Tensor[] inputs = [Normal(Heads), Normal(KvHeads), Normal(KvHeads)];
        var gradient = Normal(Heads);
        var cuts = randint(1, documents + 1, [Batch, Length], dtype: int64, generator: generator).eq(Scalars.Of(1));
        var ids = documents == 1 ? null : cuts.to(int64).cumsum(1);
        var expected = Attend(ParallelOps.Local(), inputs, gradient, ids);

        var parts = Ranks.Run(
            size,
            world =>
            {
                using var rankScope = NewDisposeScope();
                var ops = new ParallelOps(new ParallelGroups { Context = world.Group, ContextMethod = method }, TorchKernels.Instance);
                Tensor Mine(Tensor whole) => ContextPartition.Select(whole, size, world.Rank);
                var results = Attend(ops, Array.ConvertAll(inputs, Mine), Mine(gradient), ids is null ? null : Mine(ids));
                return Array.ConvertAll(results, r => r.DetachFromDisposeScope());
            }
        );

        string[] names = ["output", "query gradient", "key gradient", "value gradient"];
        for (int rank = 0; rank < size; rank++)
            for (int i = 0; i < names.Length; i++)
            {
                using var part = parts[rank][i];
                Closeness.AssertClose($"{names[i]} of rank {rank}", part, ContextPartition.Select(expected[i], size, rank), 3e-6);
            }
    }

    [Theory]
    [InlineData(64, 1)]
    [InlineData(64, 4)]
    [InlineData(96, 3)]
    public void PartitionHoldsEveryTokenOnceAndBalancesTheWork(long length, int size)
    {
        var parts = Enumerable.Range(0, size).Select(rank => ContextPartition.Indices(length, size, rank)).ToList();
        Assert.Equal(Enumerable.Range(0, (int)length).Select(i => (long)i), parts.SelectMany(p => p).Order());

        // A causal query at index i sees i + 1 keys.
        Assert.Single(parts.Select(p => p.Sum(i => i + 1)).Distinct());
    }

    [Fact]
    public void ALengthThatCannotBeCutIsRefused() =>
        Assert.Contains(
            "8 equal chunks",
            Assert.Throws<ArgumentException>(() => ContextPartition.Indices(100, 4, 0)).Message,
            StringComparison.Ordinal
        );

    private static Tensor[] Attend(ParallelOps ops, Tensor[] inputs, Tensor gradient, Tensor? documents)
    {
        var leaves = Array.ConvertAll(inputs, t => t.detach().requires_grad_());
        var tokens = zeros([Batch, gradient.shape[1]], int64);
        var context = new MicrobatchContext
        {
            Index = 0,
            Tokens = tokens,
            Targets = tokens,
            Documents = documents,
            LossScale = 1,
        };
        var output = ops.Attention(leaves[0], leaves[1], leaves[2], context);
        return [output, .. autograd.grad([output], leaves, [gradient])];
    }
}
