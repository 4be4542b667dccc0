namespace Uniscale.Configuration.Loading;

/// <summary>Paths that begin at the user's home: <c>~/x</c>, which a shell leaves alone in quotes, behind <c>=</c> and in a file.</summary>
public static class HomeFolder
{
    /// <summary>A path with <c>~/</c> replaced by the home folder; others as they are.</summary>
    /// <param name="path">The path as given.</param>
    /// <param name="place">Where it was given, for the refusal.</param>
    /// <exception cref="UserErrorException">It names the home of somebody else, or there is no home.</exception>
    public static string Expand(string path, string place)
    {
        if (!path.StartsWith('~'))
            return path;
        if (path.Length > 1 && path[1] != '/')
            throw new UserErrorException(
                $"{place}: '{path}' begins with another user's home; write the folder out, or ./{path} for a name that begins with ~."
            );
        string? home = Environment.GetEnvironmentVariable("HOME");
        return string.IsNullOrEmpty(home)
            ? throw new UserErrorException($"{place}: '{path}' begins at the home folder, but HOME is not set; write the folder out.")
            : home + path[1..];
    }
}
