using System.Text;

namespace Uniscale.Mpi.Native;

/// <summary>A loaded MPI library: how it is called, its constants and the reductions that were added to it.</summary>
internal sealed unsafe class MpiLoaded
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(MpiElement, MpiReduction), nint> _added = [];

    private MpiLoaded(nint library, MpiFlavour flavour, string name)
    {
        Name = name;
        Flavour = flavour;
        Handles = MpiHandles.Of(flavour, library);
        Direct = new DirectFunctions(library);
        Binding = flavour == MpiFlavour.Mpich ? new PackageBinding(library) : new DirectBinding(library, Handles);
    }

    public string Name { get; }

    public MpiFlavour Flavour { get; }

    public MpiBinding Binding { get; }

    public DirectFunctions Direct { get; }

    public MpiHandles Handles { get; }

    public static MpiLoaded Load()
    {
        var (handle, flavour, name) = MpiLibrary.Load();
        return new MpiLoaded(handle, flavour, name);
    }

    /// <summary>How libraries of a flavour are called, for people.</summary>
    public static string BindingOf(MpiFlavour flavour) => flavour == MpiFlavour.Mpich ? PackageBinding.Name : "direct calls";

    /// <summary>The MPI type of an element. 16-bit floats travel as 16-bit integers.</summary>
    public nint TypeOf(MpiElement type) =>
        type switch
        {
            MpiElement.UInt8 => Handles.UInt8,
            MpiElement.Int32 => Handles.Int32,
            MpiElement.Int64 => Handles.Int64,
            MpiElement.Float32 => Handles.Float,
            MpiElement.Float64 => Handles.Double,
            _ => Handles.UInt16,
        };

    /// <summary>The MPI operation of a reduction.</summary>
    public nint OpOf(MpiElement type, MpiReduction reduction)
    {
        if (type is not (MpiElement.BFloat16 or MpiElement.Float16))
            return reduction switch
            {
                MpiReduction.Sum => Handles.Sum,
                MpiReduction.Max => Handles.Max,
                _ => Handles.Min,
            };
        lock (_gate)
        {
            if (!_added.TryGetValue((type, reduction), out nint op))
                _added[(type, reduction)] = op = Add(type, reduction);
            return op;
        }
    }

    /// <summary>What MPI says of an error code, in one line: MPICH's has its call stack behind the first.</summary>
    public string ErrorText(int code)
    {
        byte[] text = new byte[MpiBinding.ErrorTextBytes];
        return Binding.ErrorText(code, text, out int length) == 0
            ? Encoding.UTF8.GetString(text, 0, length).Trim().ReplaceLineEndings("; ")
            : $"error {code}";
    }

    private nint Add(MpiElement type, MpiReduction reduction)
    {
        bool brain = type == MpiElement.BFloat16;
        var function = reduction switch
        {
            MpiReduction.Sum => brain ? NarrowReductions.BrainSum : NarrowReductions.HalfSum,
            MpiReduction.Max => brain ? NarrowReductions.BrainMax : NarrowReductions.HalfMax,
            _ => brain ? NarrowReductions.BrainMin : NarrowReductions.HalfMin,
        };
        int code = Binding.CreateOperation(function, out nint op);
        return code == 0 ? op : throw new MpiException($"making the {reduction} of {type}: {ErrorText(code)}");
    }
}
