using static TorchSharp.torch;

namespace TorchSharp.Tests.Operators;

/// <summary>The operators of a transformer against their definitions written in C#.</summary>
public class TransformerOperatorTests
{
    [Fact]
    public void ActivationsFollowTheirFormulas()
    {
        using var scope = NewDisposeScope();
        var x = new[] { -2.0, -0.5, 0, 1, 3 };
        Close(x.Select(v => v / (1 + Math.Exp(-v))), nn.functional.silu(tensor(x)));
        Close(x.Select(v => 0.5 * v * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (v + 0.044715 * v * v * v)))),
            nn.functional.gelu(tensor(x), Modules.GELU.Approximate.tanh));
        Assert.False(nn.functional.gelu(tensor(x)).allclose(nn.functional.gelu(tensor(x), Modules.GELU.Approximate.tanh)));
    }

    [Fact]
    public void CrossEntropyIgnoresWhatItIsTold()
    {
        using var scope = NewDisposeScope();
        var logits = tensor(new[] { 1.0, 2, 3, 1, 1, 1 }, [2, 3]);
        var targets = tensor(new long[] { 2, -100 });
        var expected = -Math.Log(Math.Exp(3) / (Math.Exp(1) + Math.Exp(2) + Math.Exp(3)));
        Close([expected], nn.functional.cross_entropy(logits, targets, reduction: nn.Reduction.Sum));
        Close([expected, 0], nn.functional.cross_entropy(logits, targets, reduction: nn.Reduction.None));
    }

    [Fact]
    public void LayerNormCentresAndScales()
    {
        using var scope = NewDisposeScope();
        var y = nn.functional.layer_norm(tensor(new[] { 1.0, 3 }), [2], tensor(new[] { 2.0, 2 }), tensor(new[] { 0.5, 0.5 }), eps: 0);
        Close([-1.5, 2.5], y);
    }

    [Fact]
    public void CausalAttentionEqualsItsDefinition()
    {
        using var scope = NewDisposeScope();
        var generator = new Generator(3);
        var (q, k, v) = (randn([1, 2, 5, 4], generator: generator), randn([1, 2, 5, 4], generator: generator), randn([1, 2, 5, 4], generator: generator));
        var hidden = ones(5, 5, dtype: @bool).triu(1);
        var scores = q.matmul(k.transpose(-2, -1)).div(2).masked_fill(hidden, double.NegativeInfinity);
        var expected = scores.softmax(-1).matmul(v);
        Assert.True(nn.functional.scaled_dot_product_attention(q, k, v, is_casual: true).allclose(expected, atol: 1e-6));
    }

    [Fact]
    public void Bfloat16RoundsToEightBits()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1f, 1.00390625f, 1.01f, -3.14159f }).bfloat16();
        Assert.Equal(2, x.element_size());
        Assert.Equal([1f, 1f, 1.0078125f, -3.140625f], Enumerable.Range(0, 4).Select(i => x.ReadCpuBFloat16(i)));
        Assert.Equal(ScalarType.BFloat16, x.matmul(x).dtype);
        Assert.Equal(ScalarType.Float32, x.sum(type: float32).dtype);
        var weight = ones(2, 4, dtype: bfloat16, requires_grad: true);
        nn.functional.linear(x, weight).@float().sum().backward();
        Assert.True(weight.grad!.Equals(stack([x, x])));
    }

    [Fact]
    public void RoundingAndTypesArePyTorchs()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new long[] { -7, 7 });
        Assert.Equal([-4L, 3], x.div(2, RoundingMode.floor).data<long>().ToArray());
        Assert.Equal([-3L, 3], x.div(2, RoundingMode.trunc).data<long>().ToArray());
        Assert.Equal(ScalarType.Float32, x.div(2).dtype);
        Assert.Equal(ScalarType.Int64, arange(3).dtype);
        Assert.Equal(ScalarType.Float32, arange(0, 1, 0.5).dtype);
        Assert.Equal(ScalarType.Float32, zeros(2).dtype);
    }

    private static void Close(IEnumerable<double> expected, Tensor actual)
    {
        var elements = actual.@double().flatten().data<double>().ToArray();
        Assert.Equal(expected.Count(), elements.Length);
        Assert.All(expected.Zip(elements), pair => Assert.Equal(pair.First, pair.Second, 6));
    }
}
