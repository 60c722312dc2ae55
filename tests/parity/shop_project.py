"""A project of a shop: orders and what is windowed of them, a plain view of stores, a stream view, and a model."""

FILES = {
    "refrain.toml": """
        name = "shop"
        definitions = ["shop_features"]
        models = ["shop_models"]
        """,
    "shop_features/__init__.py": "",
    "shop_features/events.py": """
        from feature_repo.windows import EventSource

        orders = EventSource(
            "orders",
            columns={
                "order_id": "String",
                "customer_id": "String",
                "store_no": "Int64",
                "cents": "Int64",
                "returned": "Bool",
            },
            key=("order_id",),
        )
        """,
    "shop_features/windowed.py": """
        from feature_repo.windows import Count, Mean, WindowedTable

        from shop_features.events import orders

        customer_orders = WindowedTable(
            name="customer_orders",
            about="Orders of one customer",
            source=orders,
            keys=("customer_id",),
            windows=("7d", "28d"),
            features={"orders": Count(), "cents": Mean("cents")},
        )
        """,
    "shop_features/views.py": """
        from datetime import timedelta

        from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType
        from feast.on_demand_feature_view import on_demand_feature_view
        from feast.stream_feature_view import StreamFeatureView
        from feast.types import Float64, Int64, String

        store = Entity(name="store", join_keys=["store_no"], value_type=ValueType.INT64)

        store_facts = FeatureView(
            name="store_facts",
            entities=[store],
            ttl=timedelta(days=10),
            schema=[
                Field(name="store_no", dtype=Int64),
                Field(name="rating", dtype=Float64),
                Field(name="employees", dtype=Int64),
                Field(name="town", dtype=String),
            ],
            source=FileSource(
                name="store_files",
                path="files/stores.parquet",
                timestamp_field="measured_at",
                created_timestamp_column="loaded_at",
            ),
        )

        store_traffic = StreamFeatureView(
            name="store_traffic",
            entities=[store],
            ttl=timedelta(days=30),
            schema=[Field(name="store_no", dtype=Int64), Field(name="visitors", dtype=Int64)],
            source=PushSource(
                name="store_traffic_push",
                batch_source=FileSource(
                    name="traffic_files",
                    path="files/traffic",
                    timestamp_field="counted_at",
                    created_timestamp_column="loaded_at",
                ),
            ),
        )


        @on_demand_feature_view(
            sources=[store_facts], schema=[Field(name="doubled", dtype=Float64)], mode="python"
        )
        def rating_doubled(inputs):
            return {"doubled": [None if value is None else 2 * value for value in inputs["rating"]]}


        store_native = FeatureService(name="store_native", features=[store_facts[["rating"]], rating_doubled])
        """,
    "shop_features/on_demand.py": """
        import numpy as np

        from feature_repo.on_demand import OnDemand


        def load(orders: np.ndarray, employees: np.ndarray) -> dict[str, np.ndarray]:
            '''Orders of the customer for one employee of the store.'''
            return {"per_employee": orders / employees}


        customer_load = OnDemand(
            "customer_load",
            load,
            inputs={"orders": "customer_orders__orders_7d", "employees": "store_facts__employees"},
            outputs={"per_employee": "Float64"},
        )
        """,
    "shop_features/services.py": """
        from feature_repo.service import service

        order_v1 = service(
            "order_v1",
            "Whether an order is returned",
            "customer_orders: orders_{7d,28d} cents_28d",
            "store_facts",
            "store_traffic",
            "customer_load",
            predicts="returned",
        )
        """,
    "shop_models.py": """
        from datetime import timedelta

        import polars as pl

        from training.models.tabular import TabularModel
        from transforms.raw.read import scan


        def rows(home):
            columns = ("customer_id", "store_no", "event_timestamp")
            return scan(home, "orders").select(*columns, label=pl.col("returned").cast(pl.Int8)).collect()


        MODEL = TabularModel(
            name="return_model",
            family="shop",
            about="Whether an order is returned.",
            services=("order_v1",),
            raw=("orders",),
            rows=rows,
            kind="binary",
            cluster="customer_id",
            horizon=timedelta(days=1),
            parameters={"trees": 20},
            segments=("store_facts__town",),
        )
        """,
}
