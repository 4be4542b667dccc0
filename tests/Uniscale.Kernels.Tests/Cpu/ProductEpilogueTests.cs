using Uniscale.Kernels.Cpu;

namespace Uniscale.Kernels.Tests.Cpu;

/// <summary>What products do on the way to their result, against the same in passes of their own.</summary>
public class ProductEpilogueTests
{
    // Narrow and large results, either side the larger, whole and odd sizes; k is cut into stretches in some.
    [Theory]
    [InlineData(64, 96, 128), InlineData(70, 45, 600), InlineData(45, 70, 600), InlineData(1100, 70, 300), InlineData(70, 1100, 300)]
    [InlineData(600, 1040, 2200), InlineData(1, 1, 1), InlineData(33, 513, 40)]
    public void RowsAreSummedBesideTheProduct(int m, int n, int k)
    {
        foreach (var type in (KernelType[])[KernelType.BFloat16, KernelType.Float32])
        {
            var (a, b) = (HostTensor.Random(type, m * k, 1), HostTensor.Random(type, n * k, 2));
            double[] want = new double[m];
            for (int l = 0; l < k; l++)
                for (int i = 0; i < m; i++)
                    want[i] += a[l * m + i];
            double[] Sums(int threads, bool add, out double[] product)
            {
                var c = HostTensor.Zeros(KernelType.Float32, m * n);
                var sums = new HostTensor(KernelType.Float32, [.. Enumerable.Repeat(3.0, m)]);
                using var team = new OpenMpThreads(threads);
                MatrixProduct.Multiply(
                    m,
                    n,
                    k,
                    new(a.Address, type, m, Transposed: true),
                    new(b.Address, type, n),
                    new(c.Address, c.Type, n),
                    new() { RowSums = sums.Address, AddRowSums = add ? 1 : 0 }
                );
                product = c.ToArray();
                return sums.ToArray();
            }
            double[] one = Sums(1, add: false, out double[]? product);
            for (int i = 0; i < m; i++)
                Assert.Equal(want[i], one[i], 2e-6 * k);
            double[] added = Sums(2, add: true, out _);
            for (int i = 0; i < m; i++)
                Assert.Equal(want[i] + 3, added[i], 2e-6 * k + 1e-6);
            foreach (int threads in new[] { 2, 3, 8 })
            {
                Assert.Equal(one, Sums(threads, add: false, out double[]? again));
                if (HostTensor.MultipliedByOurKernels(type, m, n))
                    Assert.Equal(product, again);
            }
        }
    }

    [Theory]
    [
        InlineData(70, 45, 33, false),
        InlineData(70, 45, 33, true),
        InlineData(1100, 512, 64, true),
        InlineData(40, 1100, 64, false),
        InlineData(1, 3, 5, false)
    ]
    public void ActivationsAndResidualsAgreeWithPassesOfTheirOwn(int m, int n, int k, bool packed)
    {
        foreach (var type in (KernelType[])[KernelType.BFloat16, KernelType.Float32])
        {
            var (a, b) = (HostTensor.Random(type, m * k, 1), HostTensor.Random(type, n * k, 2, 2 / Math.Sqrt(k)));
            var (bias, beside) = (HostTensor.Random(type, n, 3), HostTensor.Random(type, m * n, 4));
            using var weights = packed ? new PackedWeights() : null;
            HostTensor As(KernelType result, in ProductEpilogue epilogue)
            {
                var c = HostTensor.Zeros(result, m * n);
                MatrixProduct.Multiply(
                    m,
                    n,
                    k,
                    new(a.Address, type, k),
                    new(b.Address, type, k, Transposed: true),
                    new(c.Address, result, n),
                    epilogue,
                    weights
                );
                return c;
            }
            HostTensor Product(in ProductEpilogue epilogue) => As(type, epilogue);
            double tolerance = type == KernelType.BFloat16 ? 1e-2 : 2e-5;
            void Same(Func<int, double> want, HostTensor got)
            {
                for (int i = 0; i < m * n; i++)
                    Assert.Equal(want(i), got[i], tolerance * (1 + Math.Abs(want(i))));
            }

            var plain = As(KernelType.Float32, default);
            Same(i => plain[i] + beside[i], Product(new() { Addend = beside.Address }));
            Same(i => plain[i] + bias[i % n] + beside[i], Product(new() { Addend = beside.Address, Bias = bias.Address }));

            var (pre, activated) = (HostTensor.Zeros(type, m * n), HostTensor.Zeros(type, m * n));
            var fused = Product(
                new()
                {
                    Bias = bias.Address,
                    Pre = pre.Address,
                    Activation = ProductActivation.Gelu,
                }
            );
            Same(i => plain[i] + bias[i % n], pre);
            CpuKernels.GeluForward(pre.Address, activated.Address, m * n, type);
            Same(i => activated[i], fused);

            var (wide, slope) = (new HostTensor(KernelType.Float32, beside.ToArray()), HostTensor.Zeros(KernelType.Float32, m * n));
            CpuKernels.GeluBackward(plain.Address, wide.Address, slope.Address, m * n, KernelType.Float32);
            Same(i => slope[i], Product(new() { Pre = beside.Address, Activation = ProductActivation.GeluSlope }));
        }
    }

    [Fact]
    public void WhatDoesNotFitIsRefused()
    {
        var x = HostTensor.Zeros(KernelType.Float32, 16);
        void Refused(ProductEpilogue epilogue) =>
            Assert.Throws<KernelException>(() =>
                MatrixProduct.Multiply(4, 4, 4, new(x.Address, x.Type, 4), new(x.Address, x.Type, 4), new(x.Address, x.Type, 4), epilogue)
            );
        Refused(new() { Activation = ProductActivation.Gelu });
        Refused(
            new()
            {
                Activation = ProductActivation.Gelu,
                Pre = x.Address,
                Addend = x.Address,
            }
        );
        Refused(new() { RowSums = x.Address });
    }
}
