using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Kernels.Reference;
using Uniscale.Kernels.Tests.Support;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Tests.Parallel;

/// <summary>libtorch's attention, which ranks on devices take, against the kernels'.</summary>
public sealed class FusedAttentionTests
{
    private const int Batch = 2,
        Length = 70,
        HeadDim = 16;

    [Theory]
    [InlineData(4, 4, false, ScalarType.Float32, 3e-6)]
    [InlineData(12, 4, false, ScalarType.Float32, 3e-6)]
    [InlineData(12, 4, true, ScalarType.Float32, 3e-6)]
    [InlineData(4, 1, true, ScalarType.BFloat16, 2e-2)]
    public void OutputAndGradientsEqualThoseOfTheKernels(int heads, int kvHeads, bool documents, ScalarType type, double bound)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)heads);
        Tensor Normal(int count) => randn([Batch, Length, count, HeadDim], generator: generator);
        Tensor[] inputs = [Normal(heads), Normal(kvHeads), Normal(kvHeads)];
        var gradient = Normal(heads);
        var ids = documents
            ? randint(1, 9, [Batch, Length], dtype: int64, generator: generator).eq(Scalars.Of(1)).to(int64).cumsum(1)
            : null;
        var expected = Attend(ParallelOps.Local(TorchKernels.Instance), inputs, gradient, ids, ScalarType.Float32);
        var fused = Attend(new ParallelOps(new ParallelGroups(), fusedAttention: true), inputs, gradient, ids, type);
        string[] names = ["output", "query gradient", "key gradient", "value gradient"];
        for (int i = 0; i < names.Length; i++)
            Closeness.AssertClose(names[i], fused[i], expected[i], bound);
        Assert.True(fused[0].is_contiguous());
    }

    private static Tensor[] Attend(ParallelOps ops, Tensor[] inputs, Tensor gradient, Tensor? documents, ScalarType type)
    {
        var leaves = Array.ConvertAll(inputs, t => t.detach().to(type).requires_grad_());
        var tokens = zeros([Batch, Length], int64);
        var context = new MicrobatchContext
        {
            Index = 0,
            Tokens = tokens,
            Targets = tokens,
            Documents = documents,
            LossScale = 1,
        };
        var output = ops.Attention(leaves[0], leaves[1], leaves[2], context);
        return [output, .. autograd.grad([output], leaves, [gradient.to(type)])];
    }
}
