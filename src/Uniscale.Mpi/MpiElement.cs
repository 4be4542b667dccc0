namespace Uniscale.Mpi;

/// <summary>Type of the elements that MPI moves and reduces.</summary>
public enum MpiElement { UInt8, Int32, Int64, BFloat16, Float16, Float32, Float64 }

/// <summary>How elements of several ranks become one.</summary>
public enum MpiReduction { Sum, Max, Min }

/// <summary>Facts about element types.</summary>
public static class MpiElements
{
    /// <summary>Bytes of an element.</summary>
    public static int SizeBytes(this MpiElement type) => type switch
    {
        MpiElement.UInt8 => 1,
        MpiElement.BFloat16 or MpiElement.Float16 => 2,
        MpiElement.Int32 or MpiElement.Float32 => 4,
        _ => 8,
    };
}
