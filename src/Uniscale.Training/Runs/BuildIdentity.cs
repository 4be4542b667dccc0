using System.Security.Cryptography;
using System.Text;

namespace Uniscale.Training.Runs;

/// <summary>Which build of Uniscale this is; all processes of a job must be of the same.</summary>
public static class BuildIdentity
{
    /// <summary>Version and a digest of the compiled content of the project's own libraries.</summary>
    public static string Own { get; } = CodeVersion();

    private static string CodeVersion()
    {
        const string Project = "Uniscale.";
        var libraries = typeof(BuildIdentity)
            .Assembly.GetReferencedAssemblies()
            .Where(name => name.Name!.StartsWith(Project, StringComparison.Ordinal))
            .Select(System.Reflection.Assembly.Load)
            .Append(typeof(BuildIdentity).Assembly);
        string content = string.Join(
            ' ',
            libraries.Select(library => $"{library.GetName().Name} {library.ManifestModule.ModuleVersionId}").Order(StringComparer.Ordinal)
        );
        return $"{typeof(BuildIdentity).Assembly.GetName().Version?.ToString(3)} {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content)))[..12]}";
    }
}
