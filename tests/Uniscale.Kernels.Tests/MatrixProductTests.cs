namespace Uniscale.Kernels.Tests;

public class MatrixProductTests
{
    [Theory, MemberData(nameof(Products))]
    public void AgreesWithItsFormula(KernelType type, bool transposeA, bool transposeB, bool accumulate, bool packed, int m, int n, int k)
    {
        var a = HostTensor.Random(type, m * k, 1);
        var b = HostTensor.Random(type, k * n, 2);
        var c = HostTensor.Random(KernelType.Float32, m * n, 3);
        var want = new double[m * n];
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
            {
                want[i * n + j] = accumulate ? c[i * n + j] : 0;
                for (int l = 0; l < k; l++)
                    want[i * n + j] += a[transposeA ? l * m + i : i * k + l] * b[transposeB ? j * k + l : l * n + j];
            }
        using var weights = packed ? new PackedWeights() : null;
        MatrixProduct.Multiply(
            m, n, k, new(a.Address, type, transposeA ? m : k, transposeA), new(b.Address, type, transposeB ? k : n, transposeB),
            new(c.Address, KernelType.Float32, n), accumulate, bias: 0, weights);
        Assert.True(c.RelativeError(want) < 1e-5, $"{c.RelativeError(want)}");
    }

    [Fact]
    public void PackedWeightsAreReadAgainOnlyAfterInvalidation()
    {
        var x = new HostTensor(KernelType.Float32, 1, 2);
        var (first, second) = (new HostTensor(KernelType.Float32, 3, 4), new HostTensor(KernelType.Float32, 5, 6));
        var y = HostTensor.Zeros(KernelType.Float32, 1);
        using var weights = new PackedWeights();
        double Product(HostTensor w)
        {
            MatrixProduct.Multiply(
                1, 1, 2, new(x.Address, x.Type, 2), new(w.Address, w.Type, 2, Transposed: true), new(y.Address, y.Type, 1), weights: weights);
            return y[0];
        }
        Assert.Equal(11, Product(first));
        Assert.Equal(11, Product(second));
        weights.Invalidate();
        Assert.Equal(17, Product(second));
        Assert.True(weights.SizeBytes > 0);
    }

    [Fact]
    public void AnImpossibleProductIsRefusedWithTheKernelsReason() =>
        Assert.Throws<KernelException>(() => MatrixProduct.Multiply(
            2, 2, 2, new(1, KernelType.Float32, 2), new(1, KernelType.Float32, 2), new(1, (KernelType)0, -2)));


    public static IEnumerable<TheoryDataRow<KernelType, bool, bool, bool, bool, int, int, int>> Products()
    {
        bool[] both = [false, true];
        return from type in new[] { KernelType.Float32, KernelType.BFloat16 }
               from transposeA in both
               from transposeB in both
               from accumulate in both
               from packed in both
               from size in new[] { (1, 1, 1), (5, 33, 7), (64, 48, 96) }
               select new TheoryDataRow<KernelType, bool, bool, bool, bool, int, int, int>(
                   type, transposeA, transposeB, accumulate, packed, size.Item1, size.Item2, size.Item3);
    }
}
