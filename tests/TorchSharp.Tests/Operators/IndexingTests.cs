using static TorchSharp.torch;

namespace TorchSharp.Tests.Operators;

public class IndexingTests
{
    private static Tensor Cube => arange(24).view(2, 3, 4);

    [Fact]
    public void NumbersRangesAndEllipsesChooseParts()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(17L, Cube[1, 1, 1].item<long>());
        Assert.Equal([12L, 13, 14, 15], Elements(Cube[1, 0]));
        Assert.Equal([5L, 9], Elements(Cube[0, 1.., 1]));
        Assert.Equal([3L, 7, 11, 15, 19, 23], Elements(Cube[TensorIndex.Ellipsis, -1]));
        Assert.Equal([0L, 2], Elements(Cube[0, 0, TensorIndex.Slice(null, null, 2)]));
        Assert.Equal([2, 1, 3, 4], Cube[TensorIndex.Colon, TensorIndex.None].shape);
        Assert.Equal([2L, 3], Elements(Cube[0, 0, ^2..]));
    }

    [Fact]
    public void TensorsOfIndicesAndMasksChooseElements()
    {
        using var scope = NewDisposeScope();
        var rows = tensor(new long[] { 2, 0 });
        Assert.Equal([20L, 21, 22, 23, 12, 13, 14, 15], Elements(Cube[TensorIndex.Single(1), TensorIndex.Tensor(rows)]));
        Assert.Equal([22L, 23], Elements(Cube[TensorIndex.Tensor(Cube > 21)]));
    }

    [Fact]
    public void AssignmentWritesThroughTheView()
    {
        using var scope = NewDisposeScope();
        var x = zeros(2, 3);
        x[0, 1] = 5f;
        x[TensorIndex.Single(1), TensorIndex.Slice(1)] = tensor(new[] { 7f, 8f });
        x[TensorIndex.Tensor(x == 8)] = -1f;
        Assert.Equal([0f, 5, 0, 0, 7, -1], x.data<float>().ToArray());
    }

    [Fact]
    public void AccessorsFollowStrides()
    {
        using var scope = NewDisposeScope();
        var turned = arange(6, float32).view(2, 3).t();
        using var accessor = turned.data<float>();
        Assert.Equal([0f, 3, 1, 4, 2, 5], accessor.ToArray());
        Assert.Equal(4f, accessor[1, 1]);
        accessor[2, 0] = 9;
        Assert.Equal(9f, turned[2, 0].item<float>());
    }

    [Fact]
    public void MemoryCanBeSharedWithAnArray()
    {
        var array = new[] { 1f, 2, 3, 4 };
        using (var shared = frombuffer(array, float32, count: 2, offset: 4))
        {
            using var doubled = shared.mul_(10);
            Assert.Equal(40L * 2, array.Length * (long)shared[0].item<float>());
        }
        Assert.Equal([1f, 20, 30, 4], array);
        using var copied = tensor(array);
        array[0] = 99;
        Assert.Equal(1f, copied[0].item<float>());
        Assert.Throws<ArgumentException>(() => frombuffer(array, float32, count: 5));
    }

    private static long[] Elements(Tensor tensor) => tensor.data<long>().ToArray();
}
