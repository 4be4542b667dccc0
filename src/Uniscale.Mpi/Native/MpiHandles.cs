using System.Runtime.InteropServices;

namespace Uniscale.Mpi.Native;

/// <summary>
/// The handles and constants of one implementation. A handle is held in a native integer: MPICH's 32-bit handles are its lower half,
/// which is what a C function that takes an int reads from the register.
/// </summary>
internal sealed record MpiHandles
{
    public required nint World { get; init; }

    public required nint Byte { get; init; }

    public required nint UInt8 { get; init; }

    public required nint UInt16 { get; init; }

    public required nint Int32 { get; init; }

    public required nint Int64 { get; init; }

    public required nint Float { get; init; }

    public required nint Double { get; init; }

    public required nint Sum { get; init; }

    public required nint Max { get; init; }

    public required nint Min { get; init; }

    public required nint ErrorsReturn { get; init; }

    /// <summary>Address that stands for "the input lies in the output".</summary>
    public required nint InPlace { get; init; }

    /// <summary>Address that stands for "no status wanted".</summary>
    public required nint StatusIgnore { get; init; }

    public required int AnySource { get; init; }

    /// <summary>Colour of ranks that are in no new communicator.</summary>
    public int Undefined { get; } = -32766;

    public static MpiHandles Of(MpiFlavour flavour, nint library) => flavour == MpiFlavour.OpenMpi ? OpenMpi(library) : Mpich();

    private static MpiHandles OpenMpi(nint library)
    {
        nint Symbol(string name) => NativeLibrary.GetExport(library, "ompi_mpi_" + name);
        return new()
        {
            World = Symbol("comm_world"),
            Byte = Symbol("byte"),
            UInt8 = Symbol("uint8_t"),
            UInt16 = Symbol("uint16_t"),
            Int32 = Symbol("int32_t"),
            Int64 = Symbol("int64_t"),
            Float = Symbol("float"),
            Double = Symbol("double"),
            Sum = Symbol("op_sum"),
            Max = Symbol("op_max"),
            Min = Symbol("op_min"),
            ErrorsReturn = Symbol("errors_return"),
            InPlace = 1,
            StatusIgnore = 0,
            AnySource = -1,
        };
    }

    private static MpiHandles Mpich() => new()
    {
        World = 0x44000000,
        Byte = 0x4c00010d,
        UInt8 = 0x4c00013b,
        UInt16 = 0x4c00023c,
        Int32 = 0x4c000439,
        Int64 = 0x4c00083a,
        Float = 0x4c00040a,
        Double = 0x4c00080b,
        Sum = 0x58000003,
        Max = 0x58000001,
        Min = 0x58000002,
        ErrorsReturn = 0x54000001,
        InPlace = -1,
        StatusIgnore = 1,
        AnySource = -2,
    };
}
