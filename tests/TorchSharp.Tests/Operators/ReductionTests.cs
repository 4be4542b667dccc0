using static TorchSharp.torch;

namespace TorchSharp.Tests.Operators;

public class ReductionTests
{
    private static Tensor Table => tensor(new[] { 1.0, 5, 3, 4, 2, 6 }, [2, 3]);

    [Fact]
    public void SumsAndMeansReduceTheDimsTheyAreGiven()
    {
        using var scope = NewDisposeScope();
        Equal([21], Table.sum());
        // The literal 0 alone would be taken for an element type, in the package too.
        Equal([5, 7, 9], Table.sum(dim: 0));
        Equal([9, 12], Table.sum(-1));
        Equal([21], Table.sum(0, 1));
        Assert.Equal([2, 1], Table.sum(1, keepdim: true).shape);
        Equal([3.5], Table.mean());
        Equal([3, 4], Table.mean([1]));
        Equal([15, 48], Table.prod(1));
        Equal([1, 6, 9, 4, 6, 12], Table.cumsum(1));
        Equal([4, 4], Table.var(1));
        Equal([2, 2], Table.std(1));
    }

    [Fact]
    public void ExtremesComeWithTheirPlaces()
    {
        using var scope = NewDisposeScope();
        var (values, indices) = Table.max(1);
        Equal([5, 6], values);
        Equal([1, 2], indices);
        Equal([1, 2], Table.min(1).Item1);
        Equal([6], Table.max());
        Equal([1, 2], Table.argmax(1));
        Equal([4, 5, 6], Table.amax([0]));
        Equal([1, 2, 3], Table.amin([0]));
        Equal([5, 3, 6, 4], Table.topk(2).Item1);
        Equal([1, 3, 5, 2, 4, 6], Table.sort(1).Item1);
        Equal([0, 2, 1, 1, 0, 2], Table.argsort(1));
    }

    [Fact]
    public void NormsAndSoftmaxFollowTheirFormulas()
    {
        using var scope = NewDisposeScope();
        Equal([Math.Sqrt(91)], Table.norm());
        Equal([9, 12], Table.norm(1, p: 1));
        Equal([Math.Log(Math.Exp(1) + Math.Exp(5) + Math.Exp(3)), Math.Log(Math.Exp(4) + Math.Exp(2) + Math.Exp(6))], Table.logsumexp(1));
        Assert.True(Table.softmax(1).log().allclose(Table.log_softmax(1)));
        Assert.True(Table.softmax(1).sum(1).allclose(ones(2, dtype: float64)));
    }

    [Fact]
    public void ProductsAgreeWithEachOther()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (Table, Table.t());
        Equal([35, 32, 32, 56], a.matmul(b));
        Assert.True(a.mm(b).Equals(a.matmul(b)));
        Assert.True(einsum("ij,kj->ik", a, a).allclose(a.matmul(b)));
        Assert.True(a.unsqueeze(0).bmm(b.unsqueeze(0))[0].Equals(a.mm(b)));
        Equal([36, 33, 33, 57], ones(2, 2, dtype: float64).addmm(a, b));
        Equal([72, 66, 66, 114], ones(2, 2, dtype: float64).addmm_(a, b, beta: 2, alpha: 2));
        Equal([35], a[0].dot(a[0]));
        Equal([35, 32], a.mv(a[0]));
    }

    [Fact]
    public void ElementsAreGatheredAndScattered()
    {
        using var scope = NewDisposeScope();
        var rows = tensor(new long[] { 1, 0, 1 });
        Equal([4, 2, 6, 1, 5, 3, 4, 2, 6], Table.index_select(0, rows));
        Equal([5, 6], Table.gather(1, tensor(new long[] { 1, 2 }, [2, 1])));
        Equal([0, 7, 0, 0], zeros(4, dtype: float64).scatter_(0, tensor(new long[] { 1 }), tensor(new[] { 7.0 })));
        Equal([1, 2], zeros(2, dtype: float64).index_add_(0, rows, ones(3, dtype: float64), 1));
        Equal([0, 5, 0, 4, 0, 6], Table.masked_fill(Table < 4, 0));
        Equal([1, -1, 3, 4, -1, 6], where((Table == 5) | (Table == 2), tensor(-1.0), Table));
        Equal([1, 0, 0, 4, 2, 0], Table.tril());
        Equal([1, 5, 3, 0, 2, 6], Table.triu());
    }

    [Fact]
    public void ShapesAreChangedAsPyTorchDoes()
    {
        using var scope = NewDisposeScope();
        Assert.Equal([3, 2], Table.transpose(0, 1).shape);
        Assert.Equal([3, 1, 2], Table.t().unsqueeze(1).shape);
        Assert.Equal([2, 3], Table.unsqueeze(1).squeeze(1).shape);
        Assert.Equal([4, 2, 3], Table.expand(4, 2, 3).shape);
        Assert.Equal([2, 3, 4], Table.expand(4, 2, 3).permute(1, 2, 0).shape);
        Assert.Equal([6], Table.flatten().shape);
        Assert.Equal([1, 3, 2, 1], Table.narrow(0, 0, 1).unflatten(1, 3, 1).repeat(1, 1, 2).unsqueeze(-1).shape);
        Assert.Equal([2L, 1], Table.split([2, 1], dim: 1).Select(part => part.shape[1]));
        Assert.Equal(3, Table.chunk(3, dim: 1).Length);
        Assert.Equal([2, 2, 3], stack([Table, Table]).shape);
        Equal([1, 5, 4, 2], Table.slice(1, 0, 2, 1));
        Equal([6, 2, 4, 3, 5, 1], Table.flip(0, 1));
        Equal([4, 2, 6, 1, 5, 3], Table.roll(1, 0));
        Assert.Equal([3, 1], Table.stride());
        Assert.False(Table.t().is_contiguous());
    }

    private static void Equal(double[] expected, Tensor actual)
    {
        var elements = actual.@double().data<double>().ToArray();
        Assert.Equal(expected.Length, elements.Length);
        Assert.All(expected.Zip(elements), pair => Assert.Equal(pair.First, pair.Second, 9));
    }
}
