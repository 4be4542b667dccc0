using Uniscale.Kernels.Reference;
using Uniscale.Kernels.Tests.Support;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Kernels.Tests.Reference;

/// <summary>Attention in chunks against the whole matrix of scores, with libtorch's own autograd.</summary>
public sealed class TorchKernelsTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    [Theory]
    [InlineData(300, 300, 6, 2, true, 0, false, true)]
    [InlineData(300, 300, 4, 4, true, 0, true, false)]
    [InlineData(40, 300, 4, 1, true, 260, false, false)]
    [InlineData(64, 128, 4, 2, false, 0, true, false)]
    public void AttentionEqualsTheWholeMatrix(
        int queries,
        int keys,
        int heads,
        int kvHeads,
        bool causal,
        int offset,
        bool documents,
        bool keep
    )
    {
        var (q, k, v) = (Normal(queries, heads), Normal(keys, kvHeads), Normal(keys, kvHeads));
        var gradient = Normal(queries, heads);
        var mask = new AttentionMask(causal, offset);
        if (documents)
            mask = mask with { QueryDocuments = Documents(queries, offset), KeyDocuments = Documents(keys, 0) };
        var expected = Whole(q, k, v, mask);
        var wanted = autograd.grad([expected], [q, k, v], [gradient]);

        using var noGradients = no_grad();
        var result = TorchKernels.Instance.Attention(q, k, v, mask, keep);
        Closeness.AssertClose("output", result.Output, expected, 2e-6);
        Assert.Equal(keep, result.Probabilities.Count > 1);
        var delta = (gradient * result.Output).sum(-1).transpose(1, 2).contiguous();
        var got = TorchKernels.Instance.AttentionBackward(gradient, q, k, v, result.LogSumExp, delta, mask, result.Probabilities, float32);
        Closeness.AssertClose("query gradient", got.Query, wanted[0], 5e-6);
        Closeness.AssertClose("key gradient", got.Key, wanted[1], 5e-6);
        Closeness.AssertClose("value gradient", got.Value, wanted[2], 5e-6);
    }

    [Fact]
    public void AQueryWithoutKeysYieldsZero()
    {
        var (q, k) = (Normal(3, 2), Normal(5, 2));
        var mask = new AttentionMask(false, 0, tensor([0L, 1L, 7L]).expand(2, 3), tensor([0L, 0L, 1L, 1L, 1L]).expand(2, 5));
        using var noGradients = no_grad();
        var result = TorchKernels.Instance.Attention(q, k, k, mask, keepProbabilities: false);
        Assert.Equal(0, result.Output.select(1, 2).abs().sum().item<float>());
        Assert.True(result.LogSumExp.select(2, 2).eq(Scalars.Of(double.NegativeInfinity)).all().item<bool>());
        var delta = zeros_like(result.LogSumExp);
        var got = TorchKernels.Instance.AttentionBackward(q, q, k, k, result.LogSumExp, delta, mask, [], float32);
        Assert.Equal(0, got.Query.select(1, 2).abs().sum().item<float>());
        Assert.True(got.Key.isfinite().all().item<bool>());
    }

    public void Dispose() => _scope.Dispose();

    private static Tensor Whole(Tensor q, Tensor k, Tensor v, AttentionMask mask)
    {
        long group = q.shape[2] / k.shape[2];
        var (keys, values) = (k.repeat_interleave(group, 2).transpose(1, 2), v.repeat_interleave(group, 2).transpose(1, 2));
        var scores = q.transpose(1, 2).matmul(keys.transpose(2, 3)) / Math.Sqrt(q.shape[3]);
        if (mask.Causal)
            scores = scores.masked_fill(ones([q.shape[1], k.shape[1]], @bool).triu(mask.Offset + 1), Scalars.Of(double.NegativeInfinity));
        if (mask.QueryDocuments is { } query)
            scores = scores.masked_fill(
                query.unsqueeze(1).unsqueeze(-1).ne(mask.KeyDocuments!.unsqueeze(1).unsqueeze(1)),
                Scalars.Of(double.NegativeInfinity)
            );
        return softmax(scores, -1).matmul(values).transpose(1, 2);
    }

    private static Tensor Documents(int count, int first) =>
        (arange(Scalars.Of(first), Scalars.Of(first + count), int64) / 37).to(int64).expand(2, count).contiguous();

    private static Tensor Normal(int length, int heads) => randn([2, length, heads, 8]).requires_grad_();
}
