using Uniscale.Mpi.Arithmetic;

namespace Uniscale.Mpi.Tests.Arithmetic;

public sealed class BrainFloatTests
{
    [Fact]
    public void EveryNumberSurvivesTheWayThereAndBack()
    {
        // 65,537 numbers: all of them, and one more than fills the vectors.
        ushort[] all = [.. Enumerable.Range(0, 65_537).Select(bits => (ushort)bits)];
        float[] wide = new float[all.Length];
        ushort[] back = new ushort[all.Length];
        BrainFloat.Widen(all, wide);
        BrainFloat.Narrow(wide, back);
        for (int i = 0; i < all.Length; i++)
        {
            Assert.Equal(BitConverter.UInt32BitsToSingle((uint)all[i] << 16), wide[i]);
            if (float.IsNaN(wide[i]))
                Assert.True(float.IsNaN(BitConverter.UInt32BitsToSingle((uint)back[i] << 16)));
            else
                Assert.Equal(all[i], back[i]);
        }
    }

    [Fact]
    public void RoundsToTheNearestAndTiesToEven()
    {
        var random = new Random(3);
        float[] values =
        [
            .. Enumerable
                .Range(0, 10_007)
                .Select(_ => BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)))
                .Where(value => !float.IsNaN(value)),
            1.00390625f,
            1.01171875f,
            float.MaxValue,
            float.PositiveInfinity,
            -0f,
            float.Epsilon,
        ];
        ushort[] narrow = new ushort[values.Length];
        BrainFloat.Narrow(values, narrow);
        for (int i = 0; i < values.Length; i++)
            Assert.Equal(Nearest(values[i]), narrow[i]);
    }

    [Fact]
    public void NaNStaysNaN()
    {
        // A NaN whose payload lies in the lower half only would round to infinity.
        float[] values = [.. Enumerable.Repeat(BitConverter.UInt32BitsToSingle(0x7F80_0001), 33)];
        ushort[] narrow = new ushort[values.Length];
        BrainFloat.Narrow(values, narrow);
        Assert.All(narrow, bits => Assert.True((bits & 0x7FFF) > 0x7F80));
    }

    /// <summary>The neighbour that is closer; of two equally close, the even one.</summary>
    private static ushort Nearest(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint below = bits >> 16,
            rest = bits & 0xFFFF;
        return (ushort)(rest > 0x8000 || (rest == 0x8000 && below % 2 == 1) ? below + 1 : below);
    }
}
