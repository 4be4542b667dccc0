using static TorchSharp.torch;

namespace TorchSharp.Tests.Operators;

public class ArithmeticTests
{
    [Fact]
    public void OperatorsOfCSharpAreThoseOfLibtorch()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (tensor(new[] { 1.0, 2, 4 }), tensor(new[] { 4.0, 2, 1 }));
        Equal([5, 4, 5], x + y);
        Equal([-3, 0, 3], x - y);
        Equal([4, 4, 4], x * y);
        Equal([0.25, 1, 4], x / y);
        Equal([-1, -2, -4], -x);
        Equal([1, 0, 0], x % 2.0.ToScalar());
        Equal([3, 4, 6], 2 + x);
        Equal([1, 0, -2], 2 - x);
        Equal([2, 4, 8], 2.0 * x);
        Equal([8, 4, 2], 8 / x);
        Equal([0.5, 1, 2], x / 2f);
    }

    [Fact]
    public void ComparisonsGiveBooleans()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (tensor(new[] { 1.0, 2, 4 }), tensor(new[] { 4.0, 2, 1 }));
        Equal([true, false, false], x < y);
        Equal([true, true, false], x <= 2);
        Equal([false, true, true], 2 <= x);
        Equal([false, true, false], x == y);
        Equal([true, false, true], x != y);
        Equal([true, true, false], (x < y) | (x == y));
        Equal([false, false, true], ~(x < y) & (x != y));
        Assert.True(isfinite(x).all().item<bool>());
        Assert.True((x / 0).isinf().all().item<bool>());
    }

    [Fact]
    public void InPlaceOperatorsChangeAndReturnTheirTensor()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.0, 2, 3 });
        Assert.Same(x, x.add_(1).mul_(tensor(2.0)).sub_(2).div_(2).pow_(2));
        Equal([1, 4, 9], x);
        Equal([1.5, 4.5, 9.5], x.add_(tensor(new[] { 1.0, 1, 1 }), 0.5));
        Equal([2, 4, 6], x.copy_(tensor(new[] { 2.0, 4, 6 })).clamp_(min: 0));
        Equal([3, 6, 9], x.addcmul_(x, ones_like(x), 0.5));
        Equal([4, 7, 10], x.addcdiv_(x, x, 1));
        Equal([2, 3.5, 5], x.lerp_(zeros_like(x), full_like(x, 0.5)));
        Equal([7, 7, 7], x.fill_(7));
        Equal([0, 0, 0], x.zero_());
    }

    [Fact]
    public void BoundsMayBeNumbersOrTensors()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { -2.0, 0, 2 });
        Equal([-1, 0, 1], x.clamp(-1, 1));
        Equal([0, 0, 2], x.clamp(min: 0.0.ToScalar()));
        Equal([-2, 0, 1], x.clamp(max: tensor(1.0)));
        Equal([1, 1, 2], maximum(x, ones_like(x)));
        Equal([-2, 0, 1], x.minimum(ones_like(x)));
    }

    private static void Equal(double[] expected, Tensor actual) => Assert.Equal(expected, actual.@double().data<double>().ToArray());

    private static void Equal(bool[] expected, Tensor actual) => Assert.Equal(expected, actual.data<bool>().ToArray());
}
