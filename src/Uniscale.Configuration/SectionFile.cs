using Uniscale.Configuration.Loading;
using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>
/// YAML files of other kinds than a run's, read as strictly: <c>extends</c>, <c>${VAR}</c>, units, bounds, and every key known.
/// </summary>
public static class SectionFile
{
    /// <summary>Reads a file into a record whose properties are the keys.</summary>
    /// <exception cref="UserErrorException">Anything wrong with the file, with its place.</exception>
    public static T Load<T>(string path)
        where T : new() =>
        (T)new Binder().BindSection(SectionSchema.Of(typeof(T)), ConfigurationFiles.Read(path, Environment.GetEnvironmentVariable), "");
}
