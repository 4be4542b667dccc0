namespace Uniscale.Mpi;

/// <summary>Type of the elements that MPI moves and reduces.</summary>
public enum MpiElement
{
    /// <summary>Bytes.</summary>
    UInt8,

    /// <summary>32-bit integers.</summary>
    Int32,

    /// <summary>64-bit integers.</summary>
    Int64,

    /// <summary>16 bits: 8 of exponent, 7 of fraction.</summary>
    BFloat16,

    /// <summary>16 bits: 5 of exponent, 10 of fraction.</summary>
    Float16,

    /// <summary>Single precision.</summary>
    Float32,

    /// <summary>Double precision.</summary>
    Float64,
}

/// <summary>How elements of several ranks become one.</summary>
public enum MpiReduction
{
    /// <summary>The sum.</summary>
    Sum,

    /// <summary>The greatest.</summary>
    Max,

    /// <summary>The least.</summary>
    Min,
}

/// <summary>Facts about element types.</summary>
public static class MpiElements
{
    /// <summary>Bytes of an element.</summary>
    public static int SizeBytes(this MpiElement type) =>
        type switch
        {
            MpiElement.UInt8 => 1,
            MpiElement.BFloat16 or MpiElement.Float16 => 2,
            MpiElement.Int32 or MpiElement.Float32 => 4,
            _ => 8,
        };
}
