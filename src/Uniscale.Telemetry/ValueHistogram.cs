namespace Uniscale.Telemetry;

/// <summary>
/// How many numbers lie where, on a scale that knows every fp32 number: each power of two has four bins, below zero as above. The bins are
/// always the same, so histograms of parts add up to that of the whole. What is not finite is counted beside them.
/// </summary>
public sealed class ValueHistogram
{
    /// <summary>A bin is a sign, an exponent and the first two bits of the mantissa.</summary>
    private const int Shift = 21,
        Negative = 1 << 10,
        NotFinite = 255 << 2;

    private readonly long[] _counts = new long[2 * Negative];

    /// <summary>Finite numbers.</summary>
    public long Count { get; private set; }

    /// <summary>NaN and infinite numbers, which are in no bin.</summary>
    public long NotFiniteCount { get; private set; }

    /// <summary>The least finite number; infinite where there is none.</summary>
    public double Least { get; private set; } = double.PositiveInfinity;

    /// <summary>The greatest finite number; minus infinite where there is none.</summary>
    public double Greatest { get; private set; } = double.NegativeInfinity;

    /// <summary>Their sum.</summary>
    public double Sum { get; private set; }

    /// <summary>Sum of their squares.</summary>
    public double SumOfSquares { get; private set; }

    /// <summary>
    /// The bins by their upper ends, ascending: each that holds something, and an empty one over each gap between them.
    /// </summary>
    public IReadOnlyList<(double UpTo, long Count)> Bins
    {
        get
        {
            var bins = new List<(double UpTo, long Count)>();
            for (int place = -NotFinite; place < NotFinite; place++)
            {
                long count = _counts[place < 0 ? Negative - 1 - place : place];
                if (count == 0)
                    continue;
                double from = Edge(place),
                    upTo = Edge(place + 1);
                if (bins.Count > 0 && bins[^1].UpTo < from)
                    bins.Add((from, 0));
                bins.Add((upTo, count));
            }
            return bins;
        }
    }

    /// <summary>Counts numbers.</summary>
    public void Add(ReadOnlySpan<float> numbers)
    {
        foreach (float number in numbers)
        {
            uint bin = BitConverter.SingleToUInt32Bits(number) >> Shift;
            if ((bin & (Negative - 1)) >= NotFinite)
            {
                NotFiniteCount++;
                continue;
            }
            _counts[bin]++;
            Count++;
            Least = Math.Min(Least, number);
            Greatest = Math.Max(Greatest, number);
            Sum += number;
            SumOfSquares += (double)number * number;
        }
    }

    /// <summary>Counts what another has counted.</summary>
    public void Add(ValueHistogram other)
    {
        for (int i = 0; i < _counts.Length; i++)
            _counts[i] += other._counts[i];
        Count += other.Count;
        NotFiniteCount += other.NotFiniteCount;
        Least = Math.Min(Least, other.Least);
        Greatest = Math.Max(Greatest, other.Greatest);
        Sum += other.Sum;
        SumOfSquares += other.SumOfSquares;
    }

    /// <summary>Writes it for another rank; <see cref="Read"/> reads it.</summary>
    public void Write(BinaryWriter writer)
    {
        foreach (double number in (double[])[Least, Greatest, Sum, SumOfSquares])
            writer.Write(number);
        writer.Write(NotFiniteCount);
        writer.Write(_counts.Count(count => count != 0));
        for (int i = 0; i < _counts.Length; i++)
            if (_counts[i] != 0)
            {
                writer.Write((short)i);
                writer.Write(_counts[i]);
            }
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public static ValueHistogram Read(BinaryReader reader)
    {
        var read = new ValueHistogram
        {
            Least = reader.ReadDouble(),
            Greatest = reader.ReadDouble(),
            Sum = reader.ReadDouble(),
            SumOfSquares = reader.ReadDouble(),
            NotFiniteCount = reader.ReadInt64(),
        };
        for (int left = reader.ReadInt32(); left > 0; left--)
        {
            int bin = reader.ReadInt16();
            read.Count += read._counts[bin] = reader.ReadInt64();
        }
        return read;
    }

    /// <summary>Where a bin begins, by its place from zero; below zero it mirrors those above.</summary>
    private static double Edge(int place) =>
        place < 0 ? -Edge(-place)
        : place == NotFinite ? float.MaxValue
        : BitConverter.UInt32BitsToSingle((uint)place << Shift);
}
