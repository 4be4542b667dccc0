using System.Runtime.InteropServices;

namespace Uniscale.Mpi.Native;

/// <summary>
/// The handles and constants of a flavour. A handle is held in a native integer: MPICH's 32-bit handles are its lower half,
/// which is what a C function that takes an int reads from the register. The defaults are those of MPI 5's standard binary interface.
/// </summary>
internal sealed record MpiHandles
{
    private MpiHandles() { }

    public nint World { get; private init; } = 0x101;

    public nint Byte { get; private init; } = 0x247;

    public nint UInt8 { get; private init; } = 0x241;

    public nint UInt16 { get; private init; } = 0x249;

    public nint Int32 { get; private init; } = 0x250;

    public nint Int64 { get; private init; } = 0x258;

    public nint Float { get; private init; } = 0x210;

    public nint Double { get; private init; } = 0x214;

    public nint Sum { get; private init; } = 0x21;

    public nint Min { get; private init; } = 0x22;

    public nint Max { get; private init; } = 0x23;

    public nint ErrorsReturn { get; private init; } = 0x143;

    /// <summary>Address that stands for "the input lies in the output".</summary>
    public nint InPlace { get; private init; } = 1;

    public int AnySource { get; private init; } = -1;

    /// <summary>Colour of ranks that are in no new communicator.</summary>
    public int Undefined { get; } = -32766;

    /// <summary>The level at which every thread may call MPI.</summary>
    public int ThreadMultiple { get; private init; } = 4096;

    /// <summary>Whether a handle in memory takes 32 bits.</summary>
    public bool AreIntegers { get; private init; }

    public static MpiHandles Of(MpiFlavour flavour, nint library) =>
        flavour switch
        {
            MpiFlavour.OpenMpi => OpenMpi(library),
            MpiFlavour.Mpich => Mpich,
            _ => new(),
        };

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
            ThreadMultiple = 3,
        };
    }

    private static MpiHandles Mpich =>
        new()
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
            AnySource = -2,
            ThreadMultiple = 3,
            AreIntegers = true,
        };
}
