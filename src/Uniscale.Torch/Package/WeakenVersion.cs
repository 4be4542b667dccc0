/// <summary>
/// Copies a shared library and, where this machine's libstdc++ lacks a version of symbols that the copy asks for, marks that one request as
/// weak (VER_FLG_WEAK), so that the dynamic linker goes on without it. Right only for a version of which no symbol is bound:
/// libLibTorchSharp.so
/// asks for GLIBCXX_3.4.32 because of an initializer that no relocation names (docs/decisions/0143). Compiled by MSBuild.
/// </summary>
using System;
using System.IO;
using System.Linq;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

public sealed class WeakenVersion : Task
{
    private const int VersionNeeds = 0x6ffffffe;
    private const ushort WeakFlag = 2;

    /// <summary>The library as it is in its package.</summary>
    [Required]
    public string Source { get; set; }

    /// <summary>The copy.</summary>
    [Required]
    public string Destination { get; set; }

    /// <summary>The version, e.g. GLIBCXX_3.4.32.</summary>
    [Required]
    public string Version { get; set; }

    /// <summary>A file for the sentence that says what was done, for reports.</summary>
    [Required]
    public string Note { get; set; }

    public override bool Execute()
    {
        byte[] library = File.ReadAllBytes(Source);
        string here = StandardLibrary();
        string note;
        if (here != null && Contains(File.ReadAllBytes(here), Version))
            note = Version + " is in " + here + "; nothing was changed";
        else if (Weaken(library))
            note = "the request for " + Version + " was made weak: " + (here ?? "the libstdc++ of this machine") + " ends before it";
        else
            note = "the library does not ask for " + Version + "; nothing was changed";
        File.WriteAllBytes(Destination, library);
        File.WriteAllText(Note, note + "\n");
        Log.LogMessage(MessageImportance.High, Path.GetFileName(Destination) + ": " + note);
        return true;
    }

    /// <summary>The libstdc++ that this process runs on, as the dynamic linker found it; null: none.</summary>
    private static string StandardLibrary() =>
        File.ReadLines("/proc/self/maps")
            .Select(line => line.IndexOf('/') < 0 ? "" : line.Substring(line.IndexOf('/')))
            .FirstOrDefault(path => Path.GetFileName(path).StartsWith("libstdc++.so", StringComparison.Ordinal));

    private static bool Contains(byte[] content, string text) =>
        Encoding.GetEncoding("ISO-8859-1").GetString(content).IndexOf(text + "\0", StringComparison.Ordinal) >= 0;

    /// <summary>Sets the flag; false where the library asks for no such version.</summary>
    private bool Weaken(byte[] elf)
    {
        int sections = (int)BitConverter.ToInt64(elf, 0x28),
            size = BitConverter.ToUInt16(elf, 0x3A),
            count = BitConverter.ToUInt16(elf, 0x3C);
        for (int i = 0; i < count; i++)
        {
            int section = sections + i * size;
            if (BitConverter.ToInt32(elf, section + 4) != VersionNeeds)
                continue;
            int strings = sections + BitConverter.ToInt32(elf, section + 0x28) * size;
            return Weaken(elf, Offset(elf, section), BitConverter.ToInt32(elf, section + 0x2C), Offset(elf, strings));
        }
        return false;
    }

    // A list of libraries, each with a list of versions: hash, flags, number, name, distance to the next.
    private bool Weaken(byte[] elf, int library, int libraryCount, int strings)
    {
        for (int i = 0; i < libraryCount; i++)
        {
            int version = library + BitConverter.ToInt32(elf, library + 8);
            for (int left = BitConverter.ToUInt16(elf, library + 2); left > 0; left--)
            {
                int name = strings + BitConverter.ToInt32(elf, version + 8);
                if (Encoding.ASCII.GetString(elf, name, Version.Length + 1) == Version + "\0")
                {
                    elf[version + 4] |= (byte)WeakFlag;
                    return true;
                }
                version += BitConverter.ToInt32(elf, version + 12);
            }
            library += BitConverter.ToInt32(elf, library + 12);
        }
        return false;
    }

    private static int Offset(byte[] elf, int section) => (int)BitConverter.ToInt64(elf, section + 0x18);
}
