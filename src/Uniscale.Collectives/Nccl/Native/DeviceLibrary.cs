using System.Runtime.InteropServices;

namespace Uniscale.Collectives.Nccl.Native;

/// <summary>A native library that is looked for when it is first needed: ranks without devices never load it.</summary>
internal sealed class DeviceLibrary
{
    private readonly nint _handle;

    private DeviceLibrary(nint handle, string name) => (_handle, Name) = (handle, name);

    /// <summary>Name under which it was loaded.</summary>
    public string Name { get; }

    /// <summary>Loads the library that a variable of the environment names, else the first of the names that is there.</summary>
    /// <exception cref="NcclException">None is there.</exception>
    public static DeviceLibrary Load(string what, string pathVariable, params ReadOnlySpan<string> names)
    {
        string[] candidates = Environment.GetEnvironmentVariable(pathVariable) is { Length: > 0 } path ? [path] : [.. names];
        foreach (string name in candidates)
            if (NativeLibrary.TryLoad(name, out nint handle))
                return new DeviceLibrary(handle, name);
        throw new NcclException(
            $"{what} cannot be loaded ({string.Join(", ", candidates)}): install it, put its folder into LD_LIBRARY_PATH, or name "
                + $"the library in {pathVariable}."
        );
    }

    /// <summary>Address of a function; 0 where this version has none.</summary>
    public nint Find(string function) => NativeLibrary.TryGetExport(_handle, function, out nint address) ? address : 0;

    /// <summary>Address of a function that every version has.</summary>
    public nint Get(string function) =>
        Find(function) is var address && address != 0
            ? address
            : throw new NcclException($"{Name} has no function {function}: it is another library than its name says.");
}
