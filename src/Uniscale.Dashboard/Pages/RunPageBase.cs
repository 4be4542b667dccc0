using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http;
using Uniscale.Dashboard.Curves;
using Uniscale.Dashboard.Reading;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Pages;

/// <summary>A page about one run.</summary>
public abstract class RunPageBase : ComponentBase
{
    /// <summary>Id of the run's folder.</summary>
    [Parameter]
    public string Id { get; set; } = "";

    /// <summary>The request.</summary>
    [CascadingParameter]
    protected HttpContext Context { get; set; } = null!;

    /// <summary>The runs.</summary>
    [Inject]
    protected RunCatalog Catalog { get; set; } = null!;

    /// <summary>The run; null: there is none any more.</summary>
    protected FoundFolder? Run { get; private set; }

    /// <summary>The run in one line.</summary>
    protected RunSummary Summary { get; private set; } = null!;

    /// <summary>What charts show.</summary>
    protected CurveQuery View { get; private set; } = null!;

    /// <summary>The door to the disk.</summary>
    protected RunsFolder Door => Catalog.Door;

    /// <inheritdoc/>
    protected override void OnInitialized()
    {
        View = CurveQuery.Of(Context.Request.Query);
        Run = Catalog.Find(Id);
        if (Run is null)
        {
            Context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        Summary = Catalog.Summary(Run);
        Load(Run);
    }

    /// <summary>Reads what the page shows.</summary>
    protected virtual void Load(FoundFolder run) { }

    /// <summary>What the series of the run say now.</summary>
    private protected T Look<T>(Func<RunSeries, ReadingState, T> look) => Catalog.Follow(Run!).Follower.Look(look);
}
