namespace Uniscale.Configuration.Loading;

/// <summary>Where a value comes from.</summary>
public abstract record Origin
{
    /// <summary>A file, one-based line and column.</summary>
    public sealed record InFile(string Path, int Line, int Column) : Origin
    {
        /// <inheritdoc/>
        public override string ToString() => $"{Path}:{Line}";

        /// <inheritdoc/>
        public override string Exact => $"{Path}:{Line}:{Column}";
    }

    /// <summary>A model preset.</summary>
    public sealed record InPreset(string Name) : Origin
    {
        /// <inheritdoc/>
        public override string ToString() => $"preset {Name}";
    }

    /// <summary>An override of the command line.</summary>
    public sealed record InOverride(string Text) : Origin
    {
        /// <inheritdoc/>
        public override string ToString() => "--set";

        /// <inheritdoc/>
        public override string Exact => $"--set {Text}";
    }

    /// <summary>The folder that a run's own configuration was found in: the run is where its files are.</summary>
    public sealed record InRunFolder(string Folder) : Origin
    {
        /// <inheritdoc/>
        public override string ToString() => "the run's folder";
    }

    /// <summary>Nobody said anything: the default of the record.</summary>
    public sealed record InDefault : Origin
    {
        /// <summary>The only one.</summary>
        public static readonly InDefault Instance = new();

        /// <inheritdoc/>
        public override string ToString() => "default";
    }

    /// <summary>The place as an error message names it.</summary>
    public virtual string Exact => ToString();
}
