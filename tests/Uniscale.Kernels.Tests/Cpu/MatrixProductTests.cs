using Uniscale.Kernels.Cpu;

namespace Uniscale.Kernels.Tests.Cpu;

public class MatrixProductTests
{
    [Theory, MemberData(nameof(Products))]
    public void AgreesWithItsFormula(KernelType type, bool transposeA, bool transposeB, bool accumulate, bool packed, int m, int n, int k)
    {
        var a = HostTensor.Random(type, m * k, 1);
        var b = HostTensor.Random(type, k * n, 2);
        var c = HostTensor.Random(KernelType.Float32, m * n, 3);
        double[] want = new double[m * n];
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
            {
                want[i * n + j] = accumulate ? c[i * n + j] : 0;
                for (int l = 0; l < k; l++)
                    want[i * n + j] += a[transposeA ? l * m + i : i * k + l] * b[transposeB ? j * k + l : l * n + j];
            }
        using var weights = packed ? new PackedWeights() : null;
        MatrixProduct.Multiply(
            m,
            n,
            k,
            new(a.Address, type, transposeA ? m : k, transposeA),
            new(b.Address, type, transposeB ? k : n, transposeB),
            new(c.Address, KernelType.Float32, n),
            new() { Addend = accumulate ? c.Address : 0 },
            weights
        );
        Assert.True(c.RelativeError(want) < 1e-5, $"{c.RelativeError(want)}");
    }

    // Large enough to be cut into ranges of rows, ranges of columns and stretches of k, and to be written past the caches.
    [Theory]
    [InlineData(KernelType.BFloat16, 1100, 1040, 70, false, false)]
    [InlineData(KernelType.Float32, 1100, 560, 70, false, false)]
    [InlineData(KernelType.Float32, 1120, 70, 1000, true, true)]
    [InlineData(KernelType.Float32, 530, 1000, 2200, true, true)]
    [InlineData(KernelType.Float32, 45, 700, 2200, true, true)]
    [InlineData(KernelType.Float32, 550, 1100, 33, true, false)]
    [InlineData(KernelType.BFloat16, 2100, 96, 3200, false, false)]
    [InlineData(KernelType.BFloat16, 600, 1055, 64, false, true)]
    public void ALargeProductIsCutWithoutSeams(KernelType result, int m, int n, int k, bool transposed, bool accumulate)
    {
        var (a, b) = (HostTensor.Random(KernelType.BFloat16, m * k, 1), HostTensor.Random(KernelType.BFloat16, n * k, 2));
        var c = HostTensor.Random(result, m * n, 3);
        double[] before = c.ToArray();
        MatrixProduct.Multiply(
            m,
            n,
            k,
            new(a.Address, a.Type, transposed ? m : k, transposed),
            new(b.Address, b.Type, transposed ? n : k, !transposed),
            new(c.Address, result, n),
            new() { Addend = accumulate ? c.Address : 0 }
        );
        var random = new Random(4);
        for (int sample = 0; sample < 4000; sample++)
        {
            var (i, j) = (random.Next(m), random.Next(n));
            double want = accumulate ? before[i * n + j] : 0;
            for (int l = 0; l < k; l++)
                want += transposed ? a[l * m + i] * b[l * n + j] : a[i * k + l] * b[j * k + l];
            double bound = result == KernelType.BFloat16 ? 4e-3 * Math.Max(1, Math.Abs(want)) : 2e-6 * k;
            Assert.True(Math.Abs(c[i * n + j] - want) < bound, $"element {i}, {j}: {c[i * n + j]} instead of {want}");
        }
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void ABFloat16ResultWithBiasKeepsWhatLiesBesideIt(bool accumulate)
    {
        // Rows of the operands and of the result are parts of wider ones.
        const int m = 70,
            n = 45,
            k = 600,
            width = 48;
        var (a, b) = (HostTensor.Random(KernelType.BFloat16, m * (k + 1), 1), HostTensor.Random(KernelType.BFloat16, n * (k + 3), 2));
        var (c, bias) = (HostTensor.Random(KernelType.BFloat16, m * width, 3), HostTensor.Random(KernelType.BFloat16, n, 4));
        double[] want = c.ToArray();
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
            {
                double sum = bias[j] + (accumulate ? want[i * width + j] : 0);
                for (int l = 0; l < k; l++)
                    sum += a[i * (k + 1) + l] * b[j * (k + 3) + l];
                want[i * width + j] = sum;
            }
        double[] before = c.ToArray();
        MatrixProduct.Multiply(
            m,
            n,
            k,
            new(a.Address, a.Type, k + 1),
            new(b.Address, b.Type, k + 3, Transposed: true),
            new(c.Address, c.Type, width),
            new() { Addend = accumulate ? c.Address : 0, Bias = bias.Address }
        );
        Assert.True(c.RelativeError(want) < 4e-3, $"{c.RelativeError(want)}");
        for (int i = 0; i < m; i++)
            for (int j = n; j < width; j++)
                Assert.Equal(before[i * width + j], c[i * width + j]);
    }

    // Rows that end inside a pair of k, beside what must not be read; whole pairs; rows that lie a power of two apart.
    [Theory]
    [InlineData(70, 45, 601, 602), InlineData(13, 130, 1, 2), InlineData(150, 65, 1537, 1600), InlineData(150, 65, 1536, 2048)]
    [InlineData(150, 130, 767, 1024)]
    public void WhatLiesBesideTheOperandsIsNotRead(int m, int n, int k, int stride)
    {
        foreach (var type in (KernelType[])[KernelType.BFloat16, KernelType.Float32])
        {
            var (a, b) = (HostTensor.Random(type, m * k, 1), HostTensor.Random(type, n * k, 2));
            double Element(HostTensor rows, int i) => i % stride < k ? rows[i / stride * k + i % stride] : double.NaN;
            HostTensor Wide(HostTensor rows, int count) =>
                new(type, [.. Enumerable.Range(0, count * stride).Select(i => Element(rows, i))]);
            double[] Product(HostTensor left, HostTensor right, int width)
            {
                var c = HostTensor.Zeros(KernelType.Float32, m * n);
                MatrixProduct.Multiply(
                    m,
                    n,
                    k,
                    new(left.Address, type, width),
                    new(right.Address, type, width, Transposed: true),
                    new(c.Address, c.Type, n)
                );
                return c.ToArray();
            }
            double[] dense = Product(a, b, k), wide = Product(Wide(a, m), Wide(b, n), stride);
            if (HostTensor.MultipliedByOurKernels(type, m, n))
                Assert.Equal(dense, wide);
            else
                Assert.All(wide, value => Assert.False(double.IsNaN(value)));
        }
    }

    // Infinity and NaN reach the elements of their row and column and no other.
    [Theory]
    [InlineData(false), InlineData(true)]
    public void ExtremeValuesStayInTheirRowAndColumn(bool transposed)
    {
        const int m = 89,
            n = 77,
            k = 130,
            row = 17,
            column = 70;
        var (a, b) = (HostTensor.Random(KernelType.BFloat16, m * k, 1), HostTensor.Random(KernelType.BFloat16, n * k, 2));
        double[] left = a.ToArray(),
            right = b.ToArray();
        left[transposed ? 5 * m + row : row * k + 5] = double.PositiveInfinity;
        right[transposed ? 9 * n + column : column * k + 9] = double.NaN;
        var (x, y) = (new HostTensor(KernelType.BFloat16, left), new HostTensor(KernelType.BFloat16, right));
        var c = HostTensor.Zeros(KernelType.BFloat16, m * n);
        MatrixProduct.Multiply(
            m,
            n,
            k,
            new(x.Address, x.Type, transposed ? m : k, transposed),
            new(y.Address, y.Type, transposed ? n : k, !transposed),
            new(c.Address, c.Type, n)
        );
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
                if (j == column)
                    Assert.True(double.IsNaN(c[i * n + j]));
                else
                    Assert.Equal(i == row, double.IsInfinity(c[i * n + j]));
    }

    [Fact]
    public void TheBitsOfARowDoNotDependOnHowManyThereAre()
    {
        const int m = 301,
            n = 30,
            k = 1601;
        var (a, b) = (HostTensor.Random(KernelType.BFloat16, m * k, 1), HostTensor.Random(KernelType.BFloat16, n * k, 2));
        double[] Product(int first, int rows)
        {
            var c = HostTensor.Zeros(KernelType.Float32, rows * n);
            MatrixProduct.Multiply(
                rows,
                n,
                k,
                new(a.Address + first * k * 2, a.Type, k),
                new(b.Address, b.Type, n),
                new(c.Address, c.Type, n)
            );
            return c.ToArray();
        }
        double[] all = Product(0, m);
        foreach (var (first, rows) in new[] { (0, 30), (5, 37), (150, 151), (271, 30) })
            Assert.Equal(all[(first * n)..((first + rows) * n)], Product(first, rows));
    }

    [Theory]
    [InlineData(KernelType.BFloat16, false), InlineData(KernelType.BFloat16, true)]
    [InlineData(KernelType.Float32, false), InlineData(KernelType.Float32, true)]
    public void RunsWithOneThreadCountGiveTheSameBits(KernelType type, bool packed)
    {
        const int m = 200,
            n = 130,
            k = 1100;
        var (a, b) = (HostTensor.Random(type, m * k, 1), HostTensor.Random(type, n * k, 2));
        double[] Product(int threads)
        {
            var c = HostTensor.Zeros(KernelType.Float32, m * n);
            using var weights = packed ? new PackedWeights() : null;
            using var team = new OpenMpThreads(threads);
            MatrixProduct.Multiply(
                m,
                n,
                k,
                new(a.Address, a.Type, m, Transposed: true),
                new(b.Address, b.Type, n),
                new(c.Address, c.Type, n),
                weights: weights
            );
            return c.ToArray();
        }
        double[] one = Product(1);
        foreach (int threads in new[] { 1, 2, 3, 8 })
        {
            Assert.Equal(Product(threads), Product(threads));
            // Our own kernels promise more than oneDNN: the number of threads does not change a bit.
            if (HostTensor.MultipliedByOurKernels(type, m, n, packed))
                Assert.Equal(one, Product(threads));
        }
    }

    // A chain of a million additions in fp32 is off by 2e-5.
    [Theory]
    [InlineData(false), InlineData(true)]
    public void ALongSumKeepsItsDigits(bool packed)
    {
        const int m = 7,
            n = 5,
            k = 1 << 20;
        var (a, b) = (HostTensor.Random(KernelType.Float32, m * k, 1), HostTensor.Random(KernelType.Float32, n * k, 2));
        var c = HostTensor.Zeros(KernelType.Float32, m * n);
        using var weights = packed ? new PackedWeights() : null;
        MatrixProduct.Multiply(
            m,
            n,
            k,
            new(a.Address, a.Type, k),
            new(b.Address, b.Type, k, Transposed: true),
            new(c.Address, c.Type, n),
            weights: weights
        );
        double[] want = new double[m * n];
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
                for (int l = 0; l < k; l++)
                    want[i * n + j] += a[i * k + l] * b[j * k + l];
        Assert.True(c.RelativeError(want) < 3e-6, $"{c.RelativeError(want)}");
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
                1,
                1,
                2,
                new(x.Address, x.Type, 2),
                new(w.Address, w.Type, 2, Transposed: true),
                new(y.Address, y.Type, 1),
                weights: weights
            );
            return y[0];
        }
        Assert.Equal(11, Product(first));
        Assert.Equal(11, Product(second));
        weights.Invalidate();
        Assert.Equal(17, Product(second));
        Assert.True(weights.SizeBytes > 0);
    }

    [Fact]
    public void AnImpossibleProductIsRefusedWithTheKernelsReason()
    {
        void Refused(long lda, long ldb, long ldc) =>
            Assert.Equal(
                "a matrix of the product has a row stride shorter than its rows",
                Assert
                    .Throws<KernelException>(() =>
                        MatrixProduct.Multiply(
                            2,
                            2,
                            2,
                            new(1, KernelType.Float32, lda),
                            new(1, KernelType.Float32, ldb),
                            new(1, KernelType.Float32, ldc)
                        )
                    )
                    .Message
            );
        Refused(2, 2, -2);
        Refused(1, 2, 2);
        Refused(2, 1, 2);
    }

    [Theory]
    [InlineData(KernelType.BFloat16, KernelType.Float32), InlineData(KernelType.Float32, KernelType.BFloat16)]
    public void OperandsOfTwoTypesAreMultipliedToo(KernelType left, KernelType right)
    {
        const int m = 13,
            n = 37,
            k = 300;
        var (a, b, c) = (
            HostTensor.Random(left, m * k, 1),
            HostTensor.Random(right, n * k, 2),
            HostTensor.Zeros(KernelType.Float32, m * n)
        );
        double[] want = new double[m * n];
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
                for (int l = 0; l < k; l++)
                    want[i * n + j] += a[i * k + l] * b[j * k + l];
        MatrixProduct.Multiply(m, n, k, new(a.Address, left, k), new(b.Address, right, k, Transposed: true), new(c.Address, c.Type, n));
        Assert.True(c.RelativeError(want) < 1e-5, $"{c.RelativeError(want)}");
    }

    [Fact]
    public void AProductOverNothingIsItsEpilogue()
    {
        var (x, c) = (HostTensor.Zeros(KernelType.BFloat16, 1), new HostTensor(KernelType.BFloat16, 1, 2, 3, 4));
        var bias = new HostTensor(KernelType.BFloat16, 10, 20);
        MatrixProduct.Multiply(
            2,
            2,
            0,
            new(x.Address, x.Type, 0),
            new(x.Address, x.Type, 2),
            new(c.Address, c.Type, 2),
            new() { Addend = c.Address, Bias = bias.Address }
        );
        Assert.Equal([11, 22, 13, 24], c.ToArray());
    }

    public static IEnumerable<TheoryDataRow<KernelType, bool, bool, bool, bool, int, int, int>> Products()
    {
        bool[] both = [false, true];
        return from type in new[] { KernelType.Float32, KernelType.BFloat16 }
               from transposeA in both
               from transposeB in both
               from accumulate in both
               from packed in both
               from size in new[] { (1, 1, 1), (5, 33, 7), (64, 48, 96), (33, 545, 70), (530, 17, 45), (47, 50, 1100) }
               select new TheoryDataRow<KernelType, bool, bool, bool, bool, int, int, int>(
                   type,
                   transposeA,
                   transposeB,
                   accumulate,
                   packed,
                   size.Item1,
                   size.Item2,
                   size.Item3
               );
    }
}
